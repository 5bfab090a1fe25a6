"""The Execution reconciler: read, decide once, write the intent, then act.

The order is the promise that nothing is lost and nothing runs twice: the engine's new status is
stored before anything of it is made. A crash at any point leaves a status from which the same
decision is made again, and names under which what was already made is found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import ValidationError

from penstock.controller.attempts import AttemptStore
from penstock.controller.commands import Commands
from penstock.controller.family import Family
from penstock.controller.jobs import Jobs
from penstock.controller.metrics import Metrics
from penstock.controller.recorder import Recorder
from penstock.controller.settings import Settings
from penstock.controller.starts import (
    NotYet,
    Refusal,
    Starts,
    pending_controls,
    wanted_restart,
)
from penstock.controller.statuskeeper import Memory, StatusKeeper
from penstock.controller.store import ObjectStore, is_finished
from penstock.controller.turns import Turns
from penstock.controller.written import decides
from penstock.engine.actions import (
    AttemptKey,
    Children,
    ControlExecution,
    KillExecution,
    Observation,
    Perform,
    Report,
    StartAttempt,
    StartExecution,
    Step,
    StopAttempt,
)
from penstock.engine.engine import Engine, refuse
from penstock.engine.identity import Identity, identity_of
from penstock.engine.turn import ALONE, Turn
from penstock.kubernetes.api import Object
from penstock.resources.execution import (
    ControlResult,
    ExecutionSpec,
    ExecutionStatus,
    State,
)
from penstock.resources.health import with_conditions

RUNNING_DELAY = 1.0
"""Seconds by which the news that a task runs may be late: it decides nothing, so it rides on the
next write that does, and short tasks cost one write less."""


@dataclass(frozen=True)
class Seen:
    """All that is known when an execution is decided."""

    spec: ExecutionSpec
    observations: dict[AttemptKey, Observation]
    children: Children
    check: float | None
    """Seconds after which a pod must be looked at again."""


class ExecutionReconciler:
    """Brings one Execution a step further."""

    def __init__(
        self,
        executions: ObjectStore,
        statuses: StatusKeeper,
        starts: Starts,
        turns: Turns,
        attempts: AttemptStore,
        jobs: Jobs,
        family: Family,
        commands: Commands,
        recorder: Recorder,
        metrics: Metrics,
        settings: Settings,
        environment: dict[str, str],
        changed: Callable[[Object, ExecutionStatus | None, ExecutionStatus], None],
    ) -> None:
        self._executions = executions
        self._statuses = statuses
        self._starts = starts
        self._turns = turns
        self._attempts = attempts
        self._jobs = jobs
        self._family = family
        self._commands = commands
        self._recorder = recorder
        self._metrics = metrics
        self._settings = settings
        self._environment = environment
        self._changed = changed

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Seconds after which to look again, or None."""
        body = self._executions.get(namespace, name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
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
        except Refusal as error:
            await self._refuse(body, memory, error, now)
        return None

    def forget(self, body: Object) -> None:
        """Drop what is kept of an execution that has ended or is gone."""
        self._statuses.forget(body)
        self._attempts.forget(body["metadata"]["uid"])
        self._family.forget(body)

    async def _begin(self, body: Object, spec: ExecutionSpec, now: datetime) -> float | None:
        start = await self._starts.find(body, spec, now)
        identity = self._identity(body, spec, start.flow.revision)
        async with self._turns.decided(body, start.flow, start.engine) as turn:
            step = start.engine.begin(identity, spec, now, turn, start.source)
            step = replace(step, status=step.status.model_copy(update={"flow": start.flow}))
            if step.refusal is None:
                text = f"revision {start.flow.revision} of the flow"
                step = replace(step, reports=(Report("Started", text), *step.reports))
            status = await self._store(body, None, step, now)
        await self._act(body, step, status)
        return _wait(step, now)

    async def _continue(
        self, body: Object, spec: ExecutionSpec, memory: Memory, now: datetime
    ) -> float | None:
        status = memory.status
        if status.flow is None:
            raise Refusal("InvalidStatus", "the status names no flow")
        engine = await self._starts.pinned(body["metadata"]["namespace"], status.flow)
        observations, check = await self._observe(body, status)
        identity = self._identity(body, spec, status.flow.revision)
        children = await self._family.children(body, identity, status)
        seen = Seen(spec, observations, children, check)
        if not _asks_for_turn(spec, status):
            step = await self._decide(body, engine, status, seen, ALONE, now)
            return await self._take(body, memory, step, now, check)
        async with self._turns.decided(body, status.flow, engine) as turn:
            step = await self._decide(body, engine, status, seen, turn, now)
            stored = await self._store(body, memory.status, step, now)
        await self._act(body, step, stored)
        return _soonest(_wait(step, now), check)

    async def _decide(
        self,
        body: Object,
        engine: Engine,
        status: ExecutionStatus,
        seen: Seen,
        turn: Turn,
        now: datetime,
    ) -> Step:
        """Ask the engine; that of another revision, where a restart names one."""
        restart = wanted_restart(seen.spec, status)
        if restart is not None:
            control, revision = restart
            namespace = body["metadata"]["namespace"]
            try:
                other = await self._starts.for_restart(namespace, status, revision)
            except Refusal as error:
                return _refused(status, [control.id], str(error), now)
            assert status.flow is not None
            flow = status.flow.model_copy(update={"revision": revision})
            step = self._advance(
                body, other, status.model_copy(update={"flow": flow}), seen, turn, now
            )
            if any(result.id == control.id and result.done for result in step.status.controls):
                return step
        return self._advance(body, engine, status, seen, turn, now)

    def _advance(
        self,
        body: Object,
        engine: Engine,
        status: ExecutionStatus,
        seen: Seen,
        turn: Turn,
        now: datetime,
    ) -> Step:
        assert status.flow is not None
        identity = self._identity(body, seen.spec, status.flow.revision)
        return engine.advance(
            identity, status, seen.observations, now, children=seen.children, turn=turn
        )

    async def _observe(
        self, body: Object, status: ExecutionStatus
    ) -> tuple[dict[AttemptKey, Observation], float | None]:
        """What is known of every open attempt, and when a waiting pod must be looked at again."""
        observations: dict[AttemptKey, Observation] = {}
        check: float | None = None
        for run in status.task_runs:
            if run.state.terminated or not run.attempts or run.attempts[-1].state.terminated:
                continue
            attempt = run.attempts[-1]
            if attempt.execution is not None:
                continue
            key = (run.id, attempt.number)
            seen, again = await self._jobs.observe(body, key, attempt)
            if seen is not None:
                observations[key] = seen
            check = _soonest(check, again)
        return observations, check

    async def _take(
        self, body: Object, memory: Memory, step: Step, now: datetime, check: float | None
    ) -> float | None:
        """Store the step's status, unless its news may wait; then take its actions."""
        before = memory.status
        named = self._jobs.name(body, step.status, step.actions)
        wait = _soonest(_wait(step, now), check)
        generation = int(body["metadata"].get("generation", 0))
        if not decides(before, named):
            if before == named and before.observed_generation == generation:
                await self._act(body, step, before)
                return wait
            memory.unsaved_since = memory.unsaved_since or time.monotonic()
            late = time.monotonic() - memory.unsaved_since
            if late < RUNNING_DELAY and not step.actions:
                return _soonest(RUNNING_DELAY - late, wait)
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
        if status != before:
            status = await self._statuses.write(body, status, before)
        for report in step.reports:
            self._recorder.record(body, report)
        self._metrics.task_runs_ended(before, status)
        if status.state.terminated and (before is None or before.state is not status.state):
            self._metrics.execution_ended(status)
        self._changed(body, before, status)
        return status

    async def _act(self, body: Object, step: Step, status: ExecutionStatus) -> None:
        for action in step.actions:
            if isinstance(action, StartAttempt):
                await self._jobs.start(body, action)
            elif isinstance(action, StopAttempt):
                await self._jobs.stop(body, action)
            elif isinstance(action, StartExecution):
                await self._family.start(body, action, status)
            elif isinstance(action, ControlExecution):
                await self._family.control(body, action)
            elif isinstance(action, KillExecution):
                await self._family.kill(body, action)
            elif isinstance(action, Perform):
                await self._commands.perform(body, action)
        if status.finished and not any(isinstance(item, StopAttempt) for item in step.actions):
            await self._jobs.sweep(body)
        if status.finished:
            self.forget(body)

    async def _clear(self, body: Object) -> None:
        """Let nothing be left of an execution that has ended: the controller may have died between
        writing the end and making it so."""
        await self._jobs.sweep(body)
        await self._family.sweep(body)
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
            step = _refused(status, _untold(body, status), str(refusal), now)
            if status.after_execution is State.RUNNING:
                after = step.status.model_copy(update={"after_execution": State.FAILED})
                step = replace(step, status=after)
        else:
            step = refuse(status, refusal.reason, str(refusal), now)
        stored = await self._store(body, None if memory is None else memory.status, step, now)
        await self._act(body, step, stored)

    def _identity(self, body: Object, spec: ExecutionSpec, revision: int) -> Identity:
        meta = body["metadata"]
        return identity_of(
            meta["name"],
            meta["uid"],
            datetime.fromisoformat(meta["creationTimestamp"]),
            spec,
            revision,
            self._environment,
            self._settings.variables,
        )


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


def _refused(status: ExecutionStatus, controls: Iterable[str], message: str, now: datetime) -> Step:
    """Nothing but the news that these controls can't be done."""
    results = [
        ControlResult(id=control, date=now, done=False, message=message) for control in controls
    ]
    reports = tuple(
        Report("ControlRefused", f"`{control}` was refused: {message}", warning=True)
        for control in controls
    )
    changed = status.model_copy(update={"controls": [*status.controls, *results]})
    return Step(changed, reports=reports)


def _soonest(*seconds: float | None) -> float | None:
    return min((value for value in seconds if value is not None), default=None)


def _wait(step: Step, now: datetime) -> float | None:
    return None if step.wake is None else max((step.wake - now).total_seconds(), 0.01)
