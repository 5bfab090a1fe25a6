"""Concurrency: gives an execution its turn, where the limits leave a slot for it.

The slot is kept, in memory, from before the decision until what was decided is written and known.
So nobody waits while somebody else's decision is written: of two that are decided at one moment the
second one sees the slot of the first as taken. Where an answer of the API server is lost, the slot
is kept until the same execution asks again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from penstock.controller.concurrency.calls import SlotCalls
from penstock.controller.concurrency.standing import FlowKey, Place, Standing, standing_of
from penstock.controller.concurrency.waits import sentence
from penstock.controller.executions.resolution import NotYet, Refusal
from penstock.controller.flows.revisions import Revisions
from penstock.controller.runtime.indexes import ObjectStore, has_pending_controls, state_of
from penstock.controller.runtime.outcomes import NotListed, is_outrun, is_unanswered
from penstock.controller.workers.pool import Busy
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.turn import ALONE, Turn
from penstock.expressions import NotLoaded
from penstock.flow.document import Concurrency
from penstock.flow.priority import priority_of
from penstock.kubernetes.api.client import ApiError, Object
from penstock.resources.execution import PinnedFlow, State


@dataclass(frozen=True)
class Asking:
    """An execution that asks for its turn."""

    execution: Object
    flow: PinnedFlow
    engine: Engine
    caller: str | None
    """The uid of the execution that called it, as the controller knows it."""
    now: datetime

    @property
    def key(self) -> FlowKey:
        """Name its Flow."""
        return FlowKey(self.execution["metadata"]["namespace"], str(self.flow.name))

    def standing(self) -> Standing:
        """Tell how it counts while it asks: one that waits keeps its place, any other one comes
        last of those with its priority."""
        state = state_of(self.execution)
        known = standing_of(self.execution, state) if state is State.QUEUED else None
        if known is not None:
            return replace(known, flow=self.key, caller=self.caller)
        meta, spec = self.execution["metadata"], self.execution.get("spec") or {}
        labels = (self.execution.get("status") or {}).get("labels")
        of_flow = {**self.engine.flow.labels, **(spec.get("labels") or {})}
        place = Place(-priority_of(spec, labels or of_flow), self.now, meta["name"])
        return Standing(meta["uid"], meta["name"], self.key, place, self.caller)


class ConcurrencyLimits:
    """Gives executions their turns."""

    def __init__(self, calls: SlotCalls, flows: ObjectStore, revisions: Revisions) -> None:
        self._calls = calls
        self._slots = calls.slots
        self._flows = flows
        self._revisions = revisions

    @asynccontextmanager
    async def turn(self, asking: Asking) -> AsyncIterator[Turn]:
        """Give an execution its turn. Its decision must be stored before this is left."""
        concurrency = await self._concurrency(asking)
        limited = concurrency is not None or self._slots.limits.any
        if not (limited or self._slots.knows(asking.key)):
            yield ALONE
            return
        turn = self._ask(asking, concurrency)
        uid = asking.execution["metadata"]["uid"]
        unsure = passed = False
        try:
            yield turn
        except NotLoaded as missing:  # nothing was decided, so nothing was written
            passed = isinstance(missing.wanted, NotListed)
            raise
        except (Busy, NotYet, Refusal):  # nor was it
            raise
        except ApiError as error:
            unsure = is_unanswered(error)
            passed = not (unsure or is_outrun(error))
            raise
        except Exception:
            unsure = True
            raise
        finally:
            self._slots.answered(uid, unsure=unsure, passed=passed)
            self._calls.call()

    def _ask(self, asking: Asking, concurrency: Concurrency | None) -> Turn:
        """Ask for a slot; from here to the answer nothing is waited for."""
        standing = asking.standing()
        self._slots.welcome(standing, None if concurrency is None else concurrency.limit)
        self._calls.call()
        answer = self._slots.ask(standing)
        if answer.wait is None:
            return Turn(concurrency, answer.holders)
        if has_pending_controls(asking.execution):  # it may run whatever the limits say
            self._slots.keep(standing)
        wait = self._calls.told(standing.uid, answer.wait)
        return Turn(
            concurrency,
            answer.holders,
            answer.ahead,
            has_room=False,
            waits_for=sentence(wait, f"{asking.flow.namespace}.{asking.flow.id}"),
        )

    async def _concurrency(self, asking: Asking) -> Concurrency | None:
        """Read the limit as the newest revision of the flow has it; of a flow that is gone, as the
        execution's own has it."""
        newest = self._flows.get(*asking.key)
        if newest is not None:
            accepted = await self._revisions.accept(newest)
            if accepted.flow is not None:
                return accepted.flow.concurrency
        return asking.engine.flow.concurrency
