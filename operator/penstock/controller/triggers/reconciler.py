"""The reconciler of TriggerStates: each trigger of an accepted Flow is served by itself.

In this order: what is due is started, under a name that follows from Flow, trigger and date; then
the status says so. A controller that ended in between finds, when it looks again, the Execution
that it had made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from penstock.controller.flows.duplicates import older_duplicate
from penstock.controller.flows.revisions import AcceptedFlow, Revisions
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import StartedBy
from penstock.controller.runtime.outcomes import NotListed, is_missing
from penstock.controller.runtime.recorder import Recorder
from penstock.controller.runtime.status_writer import write_status
from penstock.controller.triggers.serving import (
    NotServed,
    Served,
    TriggerAtWork,
    TriggerServers,
)
from penstock.controller.triggers.stopping import stopped_by
from penstock.expressions import NotLoaded
from penstock.flow.document import Flow, Trigger
from penstock.flow.problems import shortened
from penstock.kubernetes.api.client import TRIGGER_STATES, Api, ApiError, Object
from penstock.resources.conditions import TRIGGER_STATE
from penstock.resources.flow import FlowStatus
from penstock.resources.names import short_hash
from penstock.resources.stored import spec_of, status_of
from penstock.resources.trigger_state import (
    TriggerPhase,
    TriggerStateSpec,
    TriggerStateStatus,
    is_state_of,
)
from penstock.triggers.backfill import observed as backfill_observed
from penstock.triggers.backfill import refused
from penstock.triggers.properties import TriggerProperties

_MAX_MESSAGE = 2_000
_SHORTEST = 0.05
"""Seconds until a trigger is looked at again at the soonest."""
_BACKFILL_ID = 8
"""Characters that tell a backfill of a trigger from every other one of it."""
_STANDING_STILL = (TriggerPhase.DISABLED, TriggerPhase.NOT_SERVED)
"""Phases in which dates pass without counting."""


class TriggerReconciler:
    """Serves one trigger, and says in its TriggerState how it is."""

    def __init__(
        self,
        api: Api,
        states: ObjectStore,
        flows: ObjectStore,
        executions: ObjectStore,
        revisions: Revisions,
        servers: TriggerServers,
        recorder: Recorder,
    ) -> None:
        self._api = api
        self._states = states
        self._flows = flows
        self._executions = executions
        self._revisions = revisions
        self._servers = servers
        self._recorder = recorder

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Serve the trigger: the seconds after which to look again, or None."""
        state = self._states.get(namespace, name)
        if state is None or state["metadata"].get("deletionTimestamp"):
            return None
        flow = self._flows.get(namespace, str(state["spec"].get("flow")))
        if flow is None or flow["metadata"].get("deletionTimestamp"):
            return None  # it goes with its Flow
        if not is_state_of(state, flow):
            await self._disown(state)
            return None
        accepted = await self._revisions.accept(flow)
        now = datetime.now(UTC)
        spec = spec_of(TriggerStateSpec, state)
        before = status_of(TriggerStateStatus, state)
        served = await self._serve(accepted, state, spec, before, now)
        if served is None:
            return None
        if served.stopped and not spec.disabled:
            state = await self._disable(state)
        await self._write(state, before, served, now)
        for body in (state, self._states.get(namespace, name) or state):
            self._servers.reconciled(body)  # of the type that it had, and of the one that it has
        for report in served.reports:
            self._recorder.record(flow, report)
        if served.look_again is None:
            return None
        return max((served.look_again - now).total_seconds(), _SHORTEST)

    async def _serve(
        self,
        accepted: AcceptedFlow,
        state: Object,
        spec: TriggerStateSpec,
        before: TriggerStateStatus,
        now: datetime,
    ) -> Served | None:
        """Serve the trigger of an accepted flow; None where the flow does not have it any more."""
        flow = accepted.flow
        if flow is None or older_duplicate(self._flows, accepted) is not None:
            told = "the Flow is not accepted: its conditions say why"
            return _standing(TriggerPhase.NOT_SERVED, before, told)
        trigger = next((item for item in flow.triggers if item.id == spec.trigger), None)
        if trigger is None:
            return None
        known = _observed(before, trigger, spec, state, now)
        try:
            server, kind, properties = self._servers.find(trigger)
        except NotServed as reason:
            return _standing(TriggerPhase.NOT_SERVED, known, str(reason), plan=None)
        known = known.model_copy(update={"plan": server.plan(kind, properties)})
        if not kind.has_backfill:
            known = known.model_copy(update={"backfill": refused(known.backfill)})
        key = StartedBy(state["metadata"]["namespace"], spec.flow, spec.trigger)
        executions = self._executions.find(key)
        stopped = stopped_by(properties, executions, before.watched_since)
        if stopped is not None and before.state not in _STANDING_STILL:
            known = known.model_copy(update={"disabled_by": stopped})
            standing = _standing(TriggerPhase.DISABLED, known, f"disabled by {stopped}")
            return replace(standing, stopped=True)
        disabled = _why_disabled(flow, trigger, spec, known)
        if disabled is not None:
            return _standing(TriggerPhase.DISABLED, known, disabled)
        known = _counting(known, before.plan, trigger.id, accepted.body)
        known = _watching(known, properties, now)
        work = TriggerAtWork(
            accepted, flow, trigger, kind, properties, state, spec, known, executions
        )
        try:
            return await server.serve(work, now)
        except NotLoaded as missing:  # of what expressions of triggers read only keys wait
            if isinstance(missing.wanted, NotListed):
                raise missing.wanted from None
            raise

    async def _disable(self, state: Object) -> Object:
        """Let the spec say that a trigger is disabled, as its `stopAfter` wants it. The status
        follows: a controller that ended in between finds the execution that stopped it again."""
        meta = state["metadata"]
        patch = {"metadata": {"uid": meta["uid"]}, "spec": {"disabled": True}}
        answer = await self._api.patch(TRIGGER_STATES, meta["namespace"], meta["name"], patch)
        self._states.put(answer)
        return answer

    async def _disown(self, state: Object) -> None:
        """Say of a TriggerState that no Flow owns that it counts for nothing. One that stands
        where a Flow's own has to be is replaced when that Flow is reconciled."""
        now = datetime.now(UTC)
        before = status_of(TriggerStateStatus, state)
        told = (
            "it counts for nothing, as the Flow that it names does not own it: the controller "
            "makes one for each trigger; delete this one"
        )
        empty = TriggerStateStatus(conditions=before.conditions)
        await self._write(state, before, _standing(TriggerPhase.NOT_SERVED, empty, told), now)

    async def _write(
        self, state: Object, before: TriggerStateStatus, served: Served, now: datetime
    ) -> None:
        """Write what is known now, where that is news."""
        generation = int(state["metadata"].get("generation", 0))
        message = served.status.message
        told = None if message is None else shortened(message, _MAX_MESSAGE)
        status = served.status.model_copy(
            update={
                "observed_generation": generation,
                "state": served.phase,
                "message": told,
                "conditions": TRIGGER_STATE.judged(
                    before.conditions, served.phase, told or "", now, generation
                ),
            }
        )
        if status == before:
            return
        try:
            await write_status(self._api, TRIGGER_STATES, self._states, state, status.to_json())
        except ApiError as error:
            if not is_missing(error):
                raise


def _standing(
    phase: TriggerPhase, before: TriggerStateStatus, message: str, **known: Any
) -> Served:
    """Say of a trigger that it starts nothing, and why."""
    update: Mapping[str, Any] = {"message": message, "next_date": None, "failures": 0, **known}
    return Served(phase, before.model_copy(update=update))


def _why_disabled(
    flow: Flow, trigger: Trigger, spec: TriggerStateSpec, before: TriggerStateStatus
) -> str | None:
    """Say what disables a trigger; None where nothing does."""
    if flow.disabled:
        return "the flow is disabled"
    if spec.disabled:
        return f"disabled by {before.disabled_by or '`spec.disabled`'}"
    if spec.disabled is None and trigger.disabled:
        return "disabled in the flow"
    return None


def _observed(
    before: TriggerStateStatus,
    trigger: Trigger,
    spec: TriggerStateSpec,
    state: Object,
    now: datetime,
) -> TriggerStateStatus:
    """Give the status with what the flow and the spec say of the trigger now."""
    meta = state["metadata"]
    id = short_hash(meta["uid"], meta.get("generation", 0))[:_BACKFILL_ID]
    return before.model_copy(
        update={
            "type": trigger.type,
            "disabled_by": before.disabled_by if spec.disabled else None,
            "backfill": backfill_observed(spec.backfill, before.backfill, id, now),
        }
    )


def _counting(
    known: TriggerStateStatus, plan_before: str | None, trigger: str, flow: Object
) -> TriggerStateStatus:
    """Give the status with the dates that count: those of the same plan, unless the trigger stood
    still; and those that an older version kept in the status of the Flow."""
    if known.state is None:
        for told in status_of(FlowStatus, flow).triggers:
            if told.id == trigger and told.schedule == known.plan:
                return known.model_copy(update={"last_date": told.last_date})
    if known.plan == plan_before and known.state not in _STANDING_STILL:
        return known
    return known.model_copy(update={"last_date": None, "next_date": None, "failures": 0})


def _watching(
    known: TriggerStateStatus, properties: TriggerProperties, now: datetime
) -> TriggerStateStatus:
    """Give the status with the time since when executions may stop the trigger: it begins where it
    is enabled, and where its flow first says `stopAfter`."""
    since = known.watched_since
    if since is None or known.state in _STANDING_STILL:
        since = now
    return known.model_copy(update={"watched_since": since if properties.stop_after else None})
