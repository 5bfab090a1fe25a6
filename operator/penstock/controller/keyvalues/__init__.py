"""Key-value pairs: in memory, changed by tasks, and as KeyValue resources."""
