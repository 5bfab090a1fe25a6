"""Tasks that enable or disable a trigger of a flow: they write the spec of its TriggerState, as a
person does."""

from __future__ import annotations

from collections.abc import Callable

from penstock.controller.executions.task_failed import ClusterTaskFailed
from penstock.controller.flows.revisions import Revisions
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import find_flow
from penstock.controller.runtime.outcomes import WaitingError
from penstock.controller.runtime.status_writer import write_status
from penstock.engine.interface.actions import ToggleTrigger
from penstock.kubernetes.api.client import TRIGGER_STATES, Api, Object
from penstock.resources.execution import FlowReference
from penstock.resources.stored import status_of
from penstock.resources.trigger_state import (
    TriggerStateStatus,
    is_state_of,
    trigger_state_name,
)


class TriggerNotThere(WaitingError):
    """The TriggerState of a trigger is not made yet."""

    reason = "TriggerNotThere"


class ToggleTasks:
    """Enables and disables triggers for tasks."""

    def __init__(
        self,
        api: Api,
        flows: ObjectStore,
        states: ObjectStore,
        revisions: Revisions,
        seen: Callable[[Object], None],
    ) -> None:
        """`seen` is told of each TriggerState that was changed."""
        self._api = api
        self._flows = flows
        self._states = states
        self._revisions = revisions
        self._seen = seen

    async def toggle(self, execution: Object, asked: ToggleTrigger) -> None:
        """Let a trigger be enabled or disabled. Raises ``ClusterTaskFailed`` where there is no such
        trigger, and ``TriggerNotThere`` where its TriggerState is still to be made."""
        flow = await self._flow(execution["metadata"]["namespace"], asked)
        meta = flow["metadata"]
        name = trigger_state_name(meta["name"], asked.trigger)
        state = self._states.get(meta["namespace"], name)
        if state is None or not is_state_of(state, flow):
            raise TriggerNotThere(f"the TriggerState {name} is not made yet")
        disabled = bool(state["spec"].get("disabled"))
        if asked.enabled == disabled:
            patch = {
                "metadata": {"uid": state["metadata"]["uid"]},
                "spec": {"disabled": None if asked.enabled else True},
            }
            state = await self._api.patch(TRIGGER_STATES, meta["namespace"], name, patch)
            self._seen(state)
        if not asked.enabled:
            await self._say_who(state, execution["metadata"]["name"])

    async def _flow(self, namespace: str, asked: ToggleTrigger) -> Object:
        """Find the Flow that has the trigger."""
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
        return flow

    async def _say_who(self, state: Object, execution: str) -> None:
        """Let the status say what disabled the trigger."""
        status = status_of(TriggerStateStatus, state)
        who = f"a Toggle task of the Execution {execution}"
        if status.disabled_by != who:
            changed = status.model_copy(update={"disabled_by": who})
            await write_status(self._api, TRIGGER_STATES, self._states, state, changed.to_json())
