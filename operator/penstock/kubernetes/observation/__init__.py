"""What pods, Jobs and Events tell of an attempt."""
