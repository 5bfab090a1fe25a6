"""Logs of tasks on their way from the kubelet to the internal storage."""
