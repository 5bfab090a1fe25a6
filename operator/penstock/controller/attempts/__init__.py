"""Attempts as Jobs: made, looked at, deleted."""
