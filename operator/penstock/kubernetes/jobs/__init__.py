"""The Job of an attempt, and the pod of a WorkingDirectory."""
