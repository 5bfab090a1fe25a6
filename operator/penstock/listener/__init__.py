"""The listener: asks what poll triggers ask, and listens to the brokers of stream triggers.

One process serves all such triggers of a Kubernetes namespace. It has no credentials of the
cluster: the gateway tells it of its triggers, and starts an Execution of each event that it hands
over. An event is acknowledged to its source after that, never before.
"""
