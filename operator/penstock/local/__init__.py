"""Executions without a cluster: the engine of the controller, with tasks as processes of this
machine."""
