"""Leaves: what Flow triggers may know of executions in other Kubernetes namespaces.

What counts is what the Flow of an execution says at the moment: leave that is taken away ends at
once, and an execution whose Flow is gone is told to nobody.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import InNamespace, LeaveGivenIn
from penstock.kubernetes.api.client import Object
from penstock.resources.flow_leave import may_listen, may_see_outputs
from penstock.triggers.evaluation import Upstream


class Leaves:
    """Tells who may know what of an execution, by the Flow that it runs."""

    def __init__(self, flows: ObjectStore) -> None:
        self._flows = flows

    def hears(self, namespace: str, execution: Object) -> bool:
        """Tell whether triggers of a Kubernetes namespace may know of an execution."""
        if execution["metadata"]["namespace"] == namespace:
            return True
        flow = self._flow(execution)
        return flow is not None and may_listen(flow, namespace)

    def sees_outputs(self, namespace: str, execution: Object) -> bool:
        """Tell whether they may know its outputs, too."""
        if execution["metadata"]["namespace"] == namespace:
            return True
        flow = self._flow(execution)
        return flow is not None and may_see_outputs(flow, namespace)

    def told(self, namespace: str, execution: Object, event: Upstream) -> Upstream:
        """Give an event of an execution as triggers of a Kubernetes namespace may see it."""
        home = execution["metadata"]["namespace"]
        if home == namespace:
            return event
        event = replace(event, kubernetes_namespace=home)
        if self.sees_outputs(namespace, execution):
            return event
        return replace(event, outputs=None, task_outputs={}, outputs_withheld=True)

    def keys_heard(self, namespace: str, home: str) -> list[Hashable]:
        """Give the keys under which all executions of one Kubernetes namespace are found of which
        triggers of another may know. It takes as long as that one has Flows that give leave."""
        if home == namespace:
            return [InNamespace(home)]
        giving = self._flows.find(LeaveGivenIn(home))
        heard = [flow for flow in giving if may_listen(flow, namespace)]
        return [(home, str(flow["metadata"]["name"])) for flow in heard]

    def _flow(self, execution: Object) -> Object | None:
        pinned = (execution.get("status") or {}).get("flow") or {}
        home = execution["metadata"]["namespace"]
        return self._flows.get(home, str(pinned.get("name")))
