"""The drivers of poll and stream triggers: one file for each sort of source."""
