"""Why something that was asked of the cluster can't be done."""

from __future__ import annotations

from collections.abc import Iterable

from penstock.flow.model import did_you_mean


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
        super().__init__(
            "NoCluster",
            f"no cluster is configured: {why}; name a kubeconfig by KUBECONFIG, or choose a "
            "context with `kubectl config use-context`",
        )


class ExecutionNotFound(ClusterError):
    """No Execution of the name is there."""

    def __init__(self, namespace: str, told: object) -> None:
        super().__init__(
            "ExecutionNotFound",
            f"{told} in the namespace `{namespace}`: `penstock execution list -n {namespace}` "
            "lists those that are there",
        )


class FlowNotFound(ClusterError):
    """No Flow is there that a reference names. ``known`` are the names of those that are there."""

    def __init__(self, namespace: str, wanted: str, known: Iterable[str] = ()) -> None:
        lists = f": `penstock flow list -n {namespace}` lists those that are there"
        super().__init__(
            "FlowNotFound",
            f"there is no flow `{wanted}` in the Kubernetes namespace `{namespace}`"
            + (did_you_mean(wanted, known) or lists),
        )


class TriggerNotFound(ClusterError):
    """A flow has no trigger of an id. ``known`` are the ids of those that it has."""

    def __init__(self, flow: str, wanted: str, known: Iterable[str]) -> None:
        known = list(known)
        there_are = f"; it has {', '.join(known)}" if known else ", and no other"
        super().__init__(
            "TriggerNotFound",
            f"the flow {flow} has no trigger `{wanted}`{did_you_mean(wanted, known) or there_are}",
        )


class FlowExists(ClusterError):
    """A Flow is there already that is to be created."""

    def __init__(self, namespace: str, name: str) -> None:
        super().__init__(
            "FlowExists",
            f"the Flow `{name}` is in the Kubernetes namespace `{namespace}` already: "
            "`penstock flow update` changes it",
        )


class FlowFromGit(ClusterError):
    """A Flow that follows a file in Git can't be changed or deleted in the cluster."""

    def __init__(self, name: str, source: str, path: str | None) -> None:
        file = f" from its file {path}" if path else ""
        super().__init__(
            "FlowFromGit",
            f"the GitSource `{source}` keeps the Flow `{name}`{file}, and would undo it: change "
            "the file in Git",
        )


class InvalidInputs(ClusterError):
    """A flow does not take the inputs that it is to be given."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidInputs", message)


class ExecutionGone(ClusterError):
    """An Execution was deleted while somebody waited for it."""

    def __init__(self, name: str) -> None:
        super().__init__("ExecutionDeleted", f"the Execution `{name}` was deleted meanwhile")


class ControlFailed(ClusterError):
    """An Execution can't be given a control."""
