"""The log of a task's container: read from the kubelet, archived, purged."""
