"""Executions without a cluster: the same engine, with tasks as processes of this machine."""
