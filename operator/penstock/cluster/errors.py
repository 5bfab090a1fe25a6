"""Why something that was asked of the cluster can't be done."""

from __future__ import annotations


class ClusterError(Exception):
    """Something can't be had of the cluster, or not be done there; the message is for a person.

    ``reason`` is one word for the cause.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NoCluster(ClusterError):
    """Neither a kubeconfig nor a pod's service account says which cluster is meant."""

    def __init__(self, why: object) -> None:
        super().__init__("NoCluster", f"no cluster is configured: {why}")


class ExecutionNotFound(ClusterError):
    """No Execution of the name is there."""

    def __init__(self, namespace: str, told: object) -> None:
        super().__init__(
            "ExecutionNotFound",
            f"{told} in the namespace `{namespace}`: `kubectl get executions -n {namespace}` lists "
            "those that are there",
        )


class FlowNotFound(ClusterError):
    """No Flow is there that a reference names."""

    def __init__(self, namespace: str, wanted: str) -> None:
        super().__init__(
            "FlowNotFound",
            f"there is no flow `{wanted}` in the Kubernetes namespace `{namespace}`: `kubectl get "
            f"flows -n {namespace}` lists those that are there",
        )


class ControlFailed(ClusterError):
    """An Execution can't be given a control."""
