"""The triggers of the flows of one Kubernetes namespace: lists them, and tells them what to do.

What is asked of a trigger is written into the spec of its TriggerState.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.cluster.conflicts import despite_conflicts
from penstock.cluster.errors import ClusterError, TriggerNotFound
from penstock.cluster.flows import Flows, flow_name
from penstock.kubernetes.api.client import EXECUTIONS, TRIGGER_STATES, Api, Object
from penstock.resources.execution import FlowReference
from penstock.resources.new_execution import labels_of_started
from penstock.resources.trigger_state import (
    BackfillPhase,
    BackfillRequest,
    TriggerStateStatus,
    is_state_of,
    trigger_state_name,
)

_LOOK = 0.2
"""Seconds between two looks at whether the controller has looked at a TriggerState."""


@dataclass(frozen=True)
class FoundTrigger:
    """A trigger of a Flow."""

    flow: Object
    """The Flow."""
    written: Mapping[str, Any]
    """The trigger as the flow writes it."""
    state: Object | None
    """The trigger's TriggerState; None where the controller has not made it yet."""

    @property
    def id(self) -> str:
        return str(self.written.get("id"))

    @property
    def status(self) -> TriggerStateStatus:
        state = self.state or {}
        return TriggerStateStatus.model_validate(state.get("status") or {})


class Triggers:
    """The triggers of one Kubernetes namespace.

    Besides what each call raises, :class:`ApiError` tells of what the API server refuses.
    """

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._flows = Flows(api, namespace)

    async def list(
        self, namespace: str | None = None, flow: str | None = None
    ) -> list[FoundTrigger]:
        """List the triggers of all flows, or of those of a flow namespace or of an id."""
        listed = await self._api.list(TRIGGER_STATES, self._namespace)
        states = {state["metadata"]["name"]: state for state in listed}
        return [
            found
            for body in await self._flows.list(namespace)
            if flow in (None, flow_name(body)[1])
            for found in _triggers_of(body, states)
        ]

    async def find(self, namespace: str, flow: str, trigger: str) -> FoundTrigger:
        """Find a trigger. Raises :class:`FlowNotFound` and :class:`TriggerNotFound`."""
        body = await self._flows.find(FlowReference(namespace=namespace, id=flow))
        states = await self._api.list(TRIGGER_STATES, self._namespace)
        found = _triggers_of(body, {state["metadata"]["name"]: state for state in states})
        for item in found:
            if item.id == trigger:
                return item
        raise TriggerNotFound(f"{namespace}.{flow}", trigger, [item.id for item in found])

    async def started_by(self, found: FoundTrigger) -> Sequence[Object]:
        """List the Executions that a trigger started, as far as they are kept."""
        name = found.flow["metadata"]["name"]
        labels = labels_of_started(name, found.id)
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        return await self._api.list(EXECUTIONS, self._namespace, selector)

    async def set_disabled(self, found: FoundTrigger, disabled: bool) -> None:
        """Disable a trigger, or let it start executions again."""
        await self._ask(found, {"disabled": disabled})

    async def backfill(self, found: FoundTrigger, wanted: BackfillRequest) -> Object:
        """Ask a trigger to go through dates of the past, and give its TriggerState as it is then.
        Raises :class:`ClusterError` where it goes through others."""
        known = found.status.backfill
        if known is not None and known.state in (BackfillPhase.RUNNING, BackfillPhase.PAUSED):
            raise ClusterError(
                "BackfillRuns",
                f"the trigger `{found.id}` goes through the dates from {known.start.isoformat()} "
                f"to {known.end.isoformat()}: wait for its end, or cancel it first",
            )
        written = wanted.model_dump(mode="json", by_alias=True, exclude_none=True)
        name = self._state_of(found)["metadata"]["name"]

        async def ask() -> Object:
            body = await self._api.get(TRIGGER_STATES, self._namespace, name)
            # Not by a patch, which would add to the inputs and labels of a backfill before.
            spec = {**body["spec"], "backfill": written}
            return await self._api.replace(TRIGGER_STATES, {**body, "spec": spec})

        return await despite_conflicts(ask)

    async def judged(self, state: Object, seconds: float) -> TriggerStateStatus | None:
        """Wait until the controller has looked at a TriggerState as it is. None where it does not
        in time."""
        name, generation = state["metadata"]["name"], int(state["metadata"]["generation"])
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = await self._api.get(TRIGGER_STATES, self._namespace, name)
                    status = TriggerStateStatus.model_validate(found.get("status") or {})
                    if status.observed_generation >= generation:
                        return status
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            return None

    async def steer_backfill(self, found: FoundTrigger, *, paused: bool) -> None:
        """Let a backfill start nothing more for now, or go on. Raises :class:`ClusterError` where
        there is none."""
        _check_has_backfill(found)
        await self._ask(found, {"backfill": {"paused": paused}})

    async def cancel_backfill(self, found: FoundTrigger) -> None:
        """Let a backfill start nothing any more. Raises :class:`ClusterError` where there is
        none."""
        _check_has_backfill(found)
        await self._ask(found, {"backfill": None})

    async def _ask(self, found: FoundTrigger, spec: Mapping[str, Any]) -> None:
        name = self._state_of(found)["metadata"]["name"]
        await self._api.patch(TRIGGER_STATES, self._namespace, name, {"spec": dict(spec)})

    def _state_of(self, found: FoundTrigger) -> Object:
        if found.state is None:
            raise ClusterError(
                "NotArmed",
                f"the trigger `{found.id}` has no TriggerState yet: is its Flow accepted, and does "
                "the controller run? `penstock flow get` tells",
            )
        return found.state


def _check_has_backfill(found: FoundTrigger) -> None:
    if found.state is None or found.state["spec"].get("backfill") is None:
        raise ClusterError("NoBackfill", f"the trigger `{found.id}` has no backfill")


def _triggers_of(flow: Object, states: Mapping[str, Object]) -> list[FoundTrigger]:
    """Give the triggers that stand in a Flow, each with its TriggerState."""
    written = [item for item in flow["spec"].get("triggers") or () if isinstance(item, dict)]
    found = []
    for item in written:
        state = states.get(trigger_state_name(flow["metadata"]["name"], str(item.get("id"))))
        own = state if state is not None and is_state_of(state, flow) else None
        found.append(FoundTrigger(flow, item, own))
    return found
