"""Keeps one TriggerState for each trigger of an accepted Flow, and tells the Flow of them in short.

A TriggerState that somebody else made under such a name counts for nothing: it is deleted, and made
anew. One that is deleted is made anew, and begins with the present time: it does not make up for
dates that passed before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from penstock.controller.flows.revisions import AcceptedFlow
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import WaitingError, exists_already
from penstock.flow.document import Trigger
from penstock.flow.problems import shortened
from penstock.kubernetes.api.client import TRIGGER_STATES, Api, ApiError, Object
from penstock.resources.flow import FlowStatus, TriggerStatus
from penstock.resources.stored import status_of
from penstock.resources.trigger_state import (
    TriggerPhase,
    TriggerStateStatus,
    is_state_of,
    new_trigger_state,
    trigger_state_name,
)

_MAX_MESSAGE = 1_000
"""Characters of what a Flow's status says of one trigger: all of them have room in it."""


class NotMadeYet(WaitingError):
    """A TriggerState of another object stands where one is to be made."""

    reason = "AlreadyExists"


@dataclass(frozen=True)
class Summary:
    """What a Flow's status says of its triggers."""

    triggers: list[TriggerStatus]
    next_date: datetime | None


class Arming:
    """Makes and deletes the TriggerStates of Flows."""

    def __init__(
        self,
        api: Api,
        states: ObjectStore,
        seen: Callable[[Object], None],
        reconcile: Callable[[Object], None],
    ) -> None:
        """`seen` is told of each TriggerState that was made; `reconcile` lets one be
        reconciled."""
        self._api = api
        self._states = states
        self._seen = seen
        self._reconcile = reconcile

    def look_again(self, flow: Object) -> None:
        """Let the triggers of a flow look whether it is accepted."""
        for state in self._states.find((flow["metadata"]["namespace"], flow["metadata"]["name"])):
            self._reconcile(state)

    async def arm(self, accepted: AcceptedFlow, before: FlowStatus) -> Summary:
        """Let each trigger of a flow have its TriggerState, and no other be there; tell of them."""
        flow, parsed = accepted.body, accepted.flow
        assert parsed is not None
        states = {
            trigger.id: await self._armed(flow, trigger.id, trigger.id in before.disabled_triggers)
            for trigger in parsed.triggers
        }
        meta = flow["metadata"]
        for state in self._states.find((meta["namespace"], meta["name"])):
            if is_state_of(state, flow) and state["spec"]["trigger"] not in states:
                await self._delete(state)
        told = {item.id: item for item in before.triggers}
        statuses = {
            trigger.id: status_of(TriggerStateStatus, states[trigger.id])
            for trigger in parsed.triggers
        }
        dates = [item.next_date for item in statuses.values() if item.next_date is not None]
        return Summary(
            [
                _told(trigger, statuses[trigger.id], told.get(trigger.id))
                for trigger in parsed.triggers
            ],
            min(dates, default=None),
        )

    async def _armed(self, flow: Object, trigger: str, disabled: bool) -> Object:
        """Give the TriggerState of a trigger, which is made where it is not there."""
        meta = flow["metadata"]
        name = trigger_state_name(meta["name"], trigger)
        known = self._states.get(meta["namespace"], name)
        if known is not None and is_state_of(known, flow):
            return known
        if known is not None:
            await self._delete(known)
        try:
            made = await self._api.create(
                TRIGGER_STATES, meta["namespace"], new_trigger_state(flow, trigger, disabled)
            )
        except ApiError as error:
            if not exists_already(error):
                raise
            self._seen(await self._api.get(TRIGGER_STATES, meta["namespace"], name))
            raise NotMadeYet(f"a TriggerState {name} was made at the same time") from error
        self._seen(made)
        return made

    async def _delete(self, state: Object) -> None:
        meta = state["metadata"]
        await self._api.delete(TRIGGER_STATES, meta["namespace"], meta["name"], meta["uid"])
        self._states.remove(state)


def _told(
    trigger: Trigger, status: TriggerStateStatus, before: TriggerStatus | None
) -> TriggerStatus:
    """Tell of a trigger in short. What an older version wrote stays until it was taken over."""
    if status.state is None and before is not None:
        return before
    message = None if status.message is None else shortened(status.message, _MAX_MESSAGE)
    served = status.state is not TriggerPhase.NOT_SERVED
    return TriggerStatus(id=trigger.id, type=trigger.type, served=served, message=message)
