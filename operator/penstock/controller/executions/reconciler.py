"""The Execution reconciler: read, decide once, write the intent, then act.

The order is the promise that nothing is lost and nothing runs twice: the engine's new status is
stored before anything of it is made. A crash at any point leaves a status from which the same
decision is made again, and names under which what was already made is found.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import ValidationError

from penstock.controller.attempts.jobs import Jobs
from penstock.controller.executions.actions import Actions
from penstock.controller.executions.concurrency import ConcurrencyLimits
from penstock.controller.executions.decisions import Decisions, refused_controls, soonest
from penstock.controller.executions.expression_functions import ExpressionFunctions
from penstock.controller.executions.fileinputs import FileInputs
from penstock.controller.executions.related import RelatedExecutions
from penstock.controller.executions.resolution import (
    NotYet,
    Refusal,
    Resolution,
    pending_controls,
)
from penstock.controller.executions.status_store import Memory, StatusStore
from penstock.controller.executions.write_policy import decides
from penstock.controller.runtime.attempt_cache import AttemptStore
from penstock.controller.runtime.indexes import ObjectStore, is_finished
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.recorder import Recorder
from penstock.engine.decision.engine import refuse
from penstock.engine.interface.actions import (
    Step,
)
from penstock.engine.interface.turn import ALONE
from penstock.expressions import NotLoaded
from penstock.kubernetes.api.client import Object
from penstock.resources.conditions import tells_of_wait
from penstock.resources.execution import (
    ExecutionSpec,
    ExecutionStatus,
    State,
)
from penstock.resources.health import with_conditions

RUNNING_DELAY = 1.0
"""Seconds by which the news that a task runs may be late: it decides nothing, so it rides on the
next write that does, and short tasks cost one write less."""


class ExecutionReconciler:
    """Brings one Execution a step further."""

    def __init__(
        self,
        executions: ObjectStore,
        statuses: StatusStore,
        starts: Resolution,
        turns: ConcurrencyLimits,
        decisions: Decisions,
        actions: Actions,
        attempts: AttemptStore,
        jobs: Jobs,
        family: RelatedExecutions,
        recorder: Recorder,
        metrics: Metrics,
        functions: ExpressionFunctions,
        inputs: FileInputs,
        with_logs: Callable[[Object, ExecutionStatus], ExecutionStatus],
        changed: Callable[[Object, ExecutionStatus | None, ExecutionStatus], None],
    ) -> None:
        self._executions = executions
        self._statuses = statuses
        self._starts = starts
        self._turns = turns
        self._decisions = decisions
        self._actions = actions
        self._attempts = attempts
        self._jobs = jobs
        self._family = family
        self._recorder = recorder
        self._metrics = metrics
        self._functions = functions
        self._inputs = inputs
        self._with_logs = with_logs
        self._changed = changed

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Seconds after which to look again, or None."""
        body = self._executions.get(namespace, name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
        body = await self._actions.hide(body)
        if is_finished(body):
            await self._clear(body)
            return None
        self._attempts.remember(body["metadata"]["uid"])
        now = datetime.now(UTC)
        memory = await self._statuses.recall(body)
        try:
            spec = _spec(body)
            if memory is None:
                return await self._begin(body, spec, now)
            return await self._continue(body, spec, memory, now)
        except NotYet as wait:
            return wait.seconds
        except NotLoaded as missing:
            self._functions.fetch(body, missing)
        except Refusal as error:
            await self._refuse(body, memory, error, now)
        return None

    def forget(self, body: Object) -> None:
        """Drop what is kept of an execution that has ended or is gone."""
        self._statuses.forget(body)
        self._actions.forget(body)
        self._attempts.forget(body["metadata"]["uid"])
        self._family.forget(body)
        self._functions.done(body)

    async def _begin(self, body: Object, spec: ExecutionSpec, now: datetime) -> float | None:
        start = await self._starts.find(body, spec, now)
        spec = await self._inputs.stored(body, spec, start)
        async with self._turns.decided(body, start.flow, start.engine) as turn:
            step = self._decisions.begin(body, spec, start, turn, now)
            step = await self._actions.prepare(body, step)
            status = await self._store(body, None, step, now)
        await self._act(body, step, status)
        return _wait(step, now)

    async def _continue(
        self, body: Object, spec: ExecutionSpec, memory: Memory, now: datetime
    ) -> float | None:
        status = memory.status
        seen = await self._decisions.look(body, spec, status)
        if not _asks_for_turn(spec, status):
            step = await self._decisions.decide(body, seen, ALONE, now)
            return await self._take(body, memory, step, now, seen.check)
        assert status.flow is not None
        async with self._turns.decided(body, status.flow, seen.engine) as turn:
            step = await self._decisions.decide(body, seen, turn, now)
            step = await self._actions.prepare(body, step)
            stored = await self._store(body, status, step, now)
        await self._act(body, step, stored)
        return soonest(_wait(step, now), seen.check)

    async def _take(
        self, body: Object, memory: Memory, step: Step, now: datetime, check: float | None
    ) -> float | None:
        """Store the step's status, unless its news may wait; then take its actions."""
        before = memory.status
        named = self._jobs.name(body, step.status, step.actions)
        wait = soonest(_wait(step, now), check)
        generation = int(body["metadata"].get("generation", 0))
        if not decides(before, named):
            if before == named and before.observed_generation == generation:
                await self._act(body, step, before)
                if tells_of_wait(before.conditions):  # and that was what it waited for
                    again = with_conditions(before, generation, now, before.refusal)
                    await self._statuses.write(body, again, before)
                return wait
            memory.unsaved_since = memory.unsaved_since or time.monotonic()
            late = time.monotonic() - memory.unsaved_since
            if late < RUNNING_DELAY and not step.actions:
                return soonest(RUNNING_DELAY - late, wait)
        status = await self._store(body, before, step, now)
        await self._act(body, step, status)
        return wait

    async def _store(
        self, body: Object, before: ExecutionStatus | None, step: Step, now: datetime
    ) -> ExecutionStatus:
        """Write the step's status, and tell everybody."""
        generation = int(body["metadata"].get("generation", 0))
        status = self._jobs.name(body, step.status, step.actions)
        status = with_conditions(status, generation, now, status.refusal)
        status = self._with_logs(body, status)
        if status != before:
            status = await self._statuses.write(body, status, before)
        for report in step.reports:
            self._recorder.record(body, report)
        self._metrics.task_runs_ended(body["metadata"]["namespace"], before, status)
        if status.end_date is not None and (before is None or before.end_date != status.end_date):
            self._metrics.execution_ended(status)
        self._changed(body, before, status)
        return status

    async def _act(self, body: Object, step: Step, status: ExecutionStatus) -> None:
        await self._actions.take(body, step, status)
        self._functions.done(body)
        if status.finished:
            self.forget(body)

    async def _clear(self, body: Object) -> None:
        """Let nothing be left of an execution that has ended."""
        await self._actions.clear(body)
        generation = int(body["metadata"].get("generation", 0))
        if body["status"].get("observedGeneration") != generation:
            status = ExecutionStatus.from_json(body["status"])
            seen = with_conditions(status, generation, datetime.now(UTC), status.refusal)
            await self._statuses.write(body, seen, status)
        self.forget(body)

    async def _refuse(
        self, body: Object, memory: Memory | None, refusal: Refusal, now: datetime
    ) -> None:
        """End an execution with which nothing can be done; one that has ended is left as it is,
        and what is wanted of it is refused."""
        status = ExecutionStatus(start_date=now) if memory is None else memory.status
        if status.state.terminated:
            step = refused_controls(status, _untold(body, status), str(refusal), now)
            if status.after_execution is State.RUNNING:
                after = step.status.model_copy(update={"after_execution": State.FAILED})
                step = replace(step, status=after)
        else:
            step = refuse(status, refusal.reason, str(refusal), now)
        stored = await self._store(body, None if memory is None else memory.status, step, now)
        await self._act(body, step, stored)


def _spec(body: Object) -> ExecutionSpec:
    try:
        return ExecutionSpec.model_validate(body.get("spec") or {})
    except ValidationError as error:
        raise Refusal("InvalidExecution", str(error)) from None


def _untold(body: Object, status: ExecutionStatus) -> list[str]:
    """The ids of the controls that are not told of, whatever else is wrong with the spec."""
    told = {result.id for result in status.controls}
    asked = [control["id"] for control in (body.get("spec") or {}).get("controls") or ()]
    return [id for id in asked if id not in told]


def _asks_for_turn(spec: ExecutionSpec, status: ExecutionStatus) -> bool:
    """Whether it may be decided now that the execution takes a place among those of its flow."""
    waits = status.state in (State.CREATED, State.QUEUED)
    return waits or bool(pending_controls(spec, status))


def _wait(step: Step, now: datetime) -> float | None:
    return None if step.wake is None else max((step.wake - now).total_seconds(), 0.01)
