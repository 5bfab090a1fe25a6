"""Deciding: all that is known of an execution goes into the engine, and one step comes out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from penstock.controller.attempts.job_factory import with_job_names
from penstock.controller.executions.concurrency import Asking, ConcurrencyLimits
from penstock.controller.executions.expression_functions import ExpressionFunctions
from penstock.controller.executions.identities import Identities
from penstock.controller.executions.refusals import refuse_controls
from penstock.controller.executions.resolution import (
    NotYet,
    Refusal,
    Resolution,
    pending_controls,
    wanted_restart,
)
from penstock.controller.executions.settle import Beginning, Situation
from penstock.controller.files.provenance import Provenance
from penstock.controller.runtime.indexes import has_pending_controls
from penstock.controller.workers.deciding import Deciding
from penstock.controller.workers.pool import WorkerLost
from penstock.controller.workers.questions import Advance, Begin
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import Report, Step
from penstock.engine.interface.turn import ALONE, Turn
from penstock.expressions import NotLoaded
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import CallerReference, ExecutionSpec, State
from penstock.storage.errors import StorageUnavailable

_AGAIN = 1.0
"""Seconds until the storage is looked for again, by an execution that begins."""


class Decisions:
    """Decides for executions."""

    def __init__(
        self,
        resolution: Resolution,
        concurrency: ConcurrencyLimits,
        provenance: Provenance,
        identities: Identities,
        functions: ExpressionFunctions,
        deciding: Deciding,
    ) -> None:
        self._resolution = resolution
        self._concurrency = concurrency
        self._provenance = provenance
        self._identities = identities
        self._functions = functions
        self._deciding = deciding

    @asynccontextmanager
    async def decided(
        self, execution: Object, situation: Beginning | Situation, now: datetime
    ) -> AsyncIterator[Step]:
        """Decide the next step. It must be stored before this is left: until then the slot is kept
        that it may take.

        Raises ``NotYet``, ``Refusal``, ``NotLoaded`` and ``Busy``, and has decided nothing then.
        """
        if isinstance(situation, Beginning):
            caller = self._caller(execution)
            start = situation.start
            uid = None if caller is None else caller.uid
            asking = Asking(execution, start.flow, start.engine, uid, now)
            async with self._turn(situation.spec, asking) as (turn, date):
                begun = await self._begin(execution, situation, caller, turn, date)
                yield with_job_names(execution, begun)
        elif _asks_for_turn(situation):
            flow, caller = situation.status.flow, situation.status.called_by
            assert flow is not None
            uid = None if caller is None else caller.uid
            asking = Asking(execution, flow, situation.engine, uid, now)
            async with self._turn(situation.spec, asking) as (turn, date):
                step = await self._continue(execution, situation, turn, date)
                yield with_job_names(execution, step)
        else:
            step = await self._continue(execution, situation, ALONE, now)
            yield with_job_names(execution, step)

    @asynccontextmanager
    async def _turn(
        self, spec: ExecutionSpec, asking: Asking
    ) -> AsyncIterator[tuple[Turn, datetime]]:
        """Give an execution its turn, and the date of the decision: a slot that it gets was held by
        others until then."""
        if _is_scheduled_later(spec, asking):
            yield ALONE, asking.now
            return
        async with self._concurrency.turn(asking) as turn:
            yield turn, datetime.now(UTC)

    def fetch(self, execution: Object, missing: NotLoaded) -> None:
        """See to what a decision lacks. The execution is reconciled again when it is there."""
        self._functions.fetch(execution, missing)

    def done(self, execution: Object) -> None:
        """Take in that all that was decided is done: the next decision reads anew."""
        self._functions.done(execution)

    async def _begin(
        self,
        execution: Object,
        situation: Beginning,
        caller: CallerReference | None,
        turn: Turn,
        now: datetime,
    ) -> Step:
        """Decide the first step."""
        start = situation.start
        identity = self._identities.of(execution, situation.spec, start.flow.revision)
        noted = {"flow": start.flow, "called_by": caller}
        asked = Begin(identity, situation.spec, now, turn, start.source)
        step = await self._step(execution, start.engine, asked)
        step = replace(step, status=step.status.model_copy(update=noted))
        if step.refusal is not None:
            return step
        text = f"revision {start.flow.revision} of the flow"
        return replace(step, reports=(Report("Started", text), *step.reports))

    def _caller(self, execution: Object) -> CallerReference | None:
        """Tell who called an execution. Raises ``NotYet`` while that can't be told."""
        try:
            return self._provenance.caller(execution)
        except StorageUnavailable:
            raise NotYet(_AGAIN) from None

    async def _continue(
        self, execution: Object, situation: Situation, turn: Turn, now: datetime
    ) -> Step:
        """Decide the next step; by another revision, where a restart names one."""
        restart = wanted_restart(situation.spec, situation.status)
        if restart is not None:
            control, revision = restart
            namespace = execution["metadata"]["namespace"]
            try:
                other = await self._resolution.for_restart(namespace, situation.status, revision)
            except Refusal as error:
                return refuse_controls(situation.status, [control.id], str(error), now)
            there = self._pinned_to(execution, situation, other, revision)
            step = await self._advance(execution, there, turn, now)
            if any(result.id == control.id and result.done for result in step.status.controls):
                return step
        return await self._advance(execution, situation, turn, now)

    async def _advance(
        self, execution: Object, situation: Situation, turn: Turn, now: datetime
    ) -> Step:
        asked = Advance(
            situation.identity,
            situation.status,
            situation.observations,
            now,
            situation.children,
            turn,
        )
        return await self._step(execution, situation.engine, asked)

    async def _step(self, execution: Object, engine: Engine, asked: Begin | Advance) -> Step:
        try:
            return await self._deciding.step(execution["metadata"]["namespace"], engine, asked)
        except WorkerLost as lost:
            raise Refusal(
                "TooMuchWork",
                f"the expressions of the flow can't be evaluated: {lost}; let tasks do such work",
            ) from None

    def _pinned_to(
        self, execution: Object, situation: Situation, engine: Engine, revision: int
    ) -> Situation:
        assert situation.status.flow is not None
        flow = situation.status.flow.model_copy(update={"revision": revision})
        return replace(
            situation,
            engine=engine,
            status=situation.status.model_copy(update={"flow": flow}),
            identity=self._identities.of(execution, situation.spec, revision),
        )


def _asks_for_turn(situation: Situation) -> bool:
    """Tell whether it may be decided now that the execution takes a slot."""
    waits = situation.status.state in (State.CREATED, State.QUEUED)
    return waits or bool(pending_controls(situation.spec, situation.status))


def _is_scheduled_later(spec: ExecutionSpec, asking: Asking) -> bool:
    """Tell whether an execution takes no slot now in any case, as its date has not come."""
    later = spec.schedule_date is not None and spec.schedule_date > asking.now
    return later and not has_pending_controls(asking.execution)
