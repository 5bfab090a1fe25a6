"""Tasks that enable or disable a trigger of a flow: the status of the Flow says so, and whatever
starts executions reads it there."""

from __future__ import annotations

from penstock.controller.executions.task_failed import ClusterTaskFailed
from penstock.controller.flows.revisions import Revisions
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import find_flow
from penstock.controller.runtime.status_writer import write_status
from penstock.engine.interface.actions import ToggleTrigger
from penstock.kubernetes.api.client import FLOWS, Api
from penstock.resources.execution import FlowReference
from penstock.resources.flow import FlowStatus


class ToggleTasks:
    """Enables and disables triggers for tasks."""

    def __init__(self, api: Api, flows: ObjectStore, revisions: Revisions) -> None:
        self._api = api
        self._flows = flows
        self._revisions = revisions

    async def toggle(self, namespace: str, asked: ToggleTrigger) -> None:
        """Let a trigger be enabled or disabled. Raises ``ClusterTaskFailed`` where there is no such
        trigger."""
        reference = FlowReference(namespace=asked.namespace, id=asked.flow_id)
        flow = find_flow(self._flows, namespace, reference)
        name = f"{asked.namespace}.{asked.flow_id}"
        if flow is None:
            message = f"there is no flow `{name}` in this Kubernetes namespace"
            raise ClusterTaskFailed("FlowNotFound", message)
        accepted = await self._revisions.accept(flow)
        triggers = () if accepted.flow is None else accepted.flow.triggers
        if all(trigger.id != asked.trigger for trigger in triggers):
            message = f"the flow `{name}` has no trigger `{asked.trigger}`"
            raise ClusterTaskFailed("TriggerNotFound", message)
        status = FlowStatus.model_validate(flow.get("status") or {})
        disabled = set(status.disabled_triggers)
        if asked.enabled == (asked.trigger in disabled):
            disabled ^= {asked.trigger}
            changed = status.model_copy(update={"disabled_triggers": sorted(disabled)})
            await write_status(self._api, FLOWS, self._flows, flow, changed.to_json())
