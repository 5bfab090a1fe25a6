"""Deleting what there is no use for any more: executions, logs, keys, files, packages."""
