"""The Execution reconciler: read, decide once, write the intent, then act.

The order is the promise that nothing is lost and nothing runs twice: the engine's new status is
stored before any Job of it is made. A crash at any point leaves a status from which the same
decision is made again, and names under which what was already made is found.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import ValidationError

from penstock.controller.attempts import AttemptStore
from penstock.controller.jobs import Jobs
from penstock.controller.metrics import Metrics
from penstock.controller.recorder import Recorder
from penstock.controller.revisions import AcceptedFlow, Revisions, find_flow
from penstock.controller.settings import Settings
from penstock.controller.statuses import write_status
from penstock.controller.store import ObjectStore, has_ended, version_of
from penstock.engine.actions import AttemptKey, Observation, Report, StartAttempt, Step, StopAttempt
from penstock.engine.engine import Engine, refuse
from penstock.engine.identity import Identity
from penstock.kubernetes.api import EXECUTIONS, Api, ApiError, Object
from penstock.kubernetes.outputs import OutputsKeeper, without_large_outputs
from penstock.resources.execution import (
    ExecutionSpec,
    ExecutionStatus,
    PinnedFlow,
    State,
    TaskRun,
    TriggerReference,
)
from penstock.resources.health import with_conditions

FLOW_GRACE = 5.0
"""Seconds for which an execution waits for its Flow: both may come from one `kubectl apply`."""
RUNNING_DELAY = 1.0
"""Seconds by which the news that a task runs may be late: it decides nothing, so it rides on the
next write that does, and short tasks cost one write less."""


@dataclass
class _Memory:
    """The status as it was last written, with its large outputs beside it."""

    version: int
    status: ExecutionStatus
    unsaved_since: float | None = None


class ExecutionReconciler:
    """Brings one Execution a step further."""

    def __init__(
        self,
        api: Api,
        executions: ObjectStore,
        flows: ObjectStore,
        attempts: AttemptStore,
        revisions: Revisions,
        jobs: Jobs,
        outputs: OutputsKeeper,
        recorder: Recorder,
        metrics: Metrics,
        settings: Settings,
        environment: dict[str, str],
        flow_changed: Callable[[str, str], None],
    ) -> None:
        self._api = api
        self._executions = executions
        self._flows = flows
        self._attempts = attempts
        self._revisions = revisions
        self._jobs = jobs
        self._outputs = outputs
        self._recorder = recorder
        self._metrics = metrics
        self._settings = settings
        self._environment = environment
        self._flow_changed = flow_changed
        self._memory: dict[str, _Memory] = {}

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Seconds after which to look again, or None."""
        body = self._executions.get(namespace, name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
        if has_ended(body):
            await self._jobs.sweep(body)
            self.forget(body)
            return None
        now = datetime.now(UTC)
        memory = await self._recall(body)
        if memory is None:
            return await self._begin(body, now)
        return await self._continue(body, memory, now)

    def forget(self, body: Object) -> None:
        """Drop what is kept of an execution that has ended or is gone."""
        uid = body["metadata"]["uid"]
        self._memory.pop(uid, None)
        self._attempts.forget(uid)

    async def _begin(self, body: Object, now: datetime) -> float | None:
        try:
            spec = ExecutionSpec.model_validate(body.get("spec") or {})
        except ValidationError as error:
            await self._refuse(body, "InvalidExecution", str(error), now)
            return None
        flow = find_flow(self._flows, body["metadata"]["namespace"], spec.flow)
        if flow is None:
            age = now - datetime.fromisoformat(body["metadata"]["creationTimestamp"])
            if age.total_seconds() < FLOW_GRACE:
                return 0.5
            await self._refuse(body, "FlowNotFound", _not_found(spec), now)
            return None
        accepted = await self._revisions.accept(flow)
        if accepted.engine is None:
            problems = "; ".join(str(problem) for problem in accepted.problems)
            message = f"the Flow {flow['metadata']['name']} is invalid: {problems}"
            await self._refuse(body, "FlowInvalid", message, now)
            return None
        try:
            engine, pinned = await self._choose_revision(accepted, spec)
        except ApiError as error:
            if not error.not_found:
                raise
            message = f"revision {spec.flow.revision} of the flow is not kept any more"
            await self._refuse(body, "RevisionNotFound", message, now)
            return None
        identity = self._identity(body, pinned.revision, spec.trigger)
        step = engine.begin(identity, spec, now)
        if step.refusal is None:
            text = f"revision {pinned.revision} of the flow"
            self._recorder.record(body, Report("Started", text))
        begun = replace(step, status=step.status.model_copy(update={"flow": pinned}))
        return await self._take(body, None, begun, now)

    async def _choose_revision(
        self, accepted: AcceptedFlow, spec: ExecutionSpec
    ) -> tuple[Engine, PinnedFlow]:
        newest = accepted.reference
        wanted = spec.flow.revision
        if wanted is None or wanted == newest.revision:
            assert accepted.engine is not None
            return accepted.engine, newest
        pinned = newest.model_copy(update={"revision": wanted})
        engine = await self._revisions.pinned(accepted.body["metadata"]["namespace"], pinned)
        return engine, pinned

    async def _continue(self, body: Object, memory: _Memory, now: datetime) -> float | None:
        status = memory.status
        if status.flow is None or status.flow.name is None:
            await self._refuse(body, "InvalidStatus", "the status names no flow", now, memory)
            return None
        try:
            engine = await self._revisions.pinned(body["metadata"]["namespace"], status.flow)
        except ApiError as error:
            if not error.not_found:
                raise
            message = f"revision {status.flow.revision} of the flow is gone"
            await self._refuse(body, "RevisionNotFound", message, now, memory)
            return None
        trigger = (body.get("spec") or {}).get("trigger")
        identity = self._identity(
            body,
            status.flow.revision,
            TriggerReference.model_validate(trigger) if trigger else None,
        )
        observations, check = await self._observe(body, status)
        step = engine.advance(identity, status, observations, now)
        wait = await self._take(body, memory, step, now)
        return _soonest(wait, check)

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
            key = (run.id, attempt.number)
            seen, again = await self._jobs.observe(body, key, attempt)
            if seen is not None:
                observations[key] = seen
            check = _soonest(check, again)
        return observations, check

    async def _take(
        self, body: Object, memory: _Memory | None, step: Step, now: datetime
    ) -> float | None:
        """Store the step's status, then take its actions."""
        before = None if memory is None else memory.status
        status = self._jobs.name(body, step.status)
        if memory is not None and before is not None and not _decides(before, status):
            if not _differs(before, status):
                await self._act(body, step)
                return _wait(step, now)
            memory.unsaved_since = memory.unsaved_since or time.monotonic()
            late = time.monotonic() - memory.unsaved_since
            if late < RUNNING_DELAY and not step.actions:
                return _soonest(RUNNING_DELAY - late, _wait(step, now))
        generation = int(body["metadata"].get("generation", 0))
        status = with_conditions(status, generation, now, step.refusal)
        status = await self._write(body, status)
        for report in step.reports:
            self._recorder.record(body, report)
        await self._act(body, step)
        self._after_write(body, before, status)
        return _wait(step, now)

    async def _write(self, body: Object, status: ExecutionStatus) -> ExecutionStatus:
        """Replace the status; large outputs go into ConfigMaps first."""
        status = await self._outputs.put_away(body, status)
        written = without_large_outputs(status)
        try:
            answer = await write_status(self._api, EXECUTIONS, self._executions, body, written)
        except ApiError as error:
            if error.not_found:
                self._executions.remove(body)
                self.forget(body)
            raise
        self._memory[body["metadata"]["uid"]] = _Memory(version_of(answer), status)
        return status

    async def _act(self, body: Object, step: Step) -> None:
        for action in step.actions:
            if isinstance(action, StartAttempt):
                await self._jobs.start(body, action)
            elif isinstance(action, StopAttempt):
                await self._jobs.stop(body, action)

    def _after_write(
        self, body: Object, before: ExecutionStatus | None, status: ExecutionStatus
    ) -> None:
        self._metrics.task_runs_ended(before, status)
        flow = None if status.flow is None else status.flow.name
        if flow is not None and (before is None or status.state.terminated):
            self._flow_changed(body["metadata"]["namespace"], flow)
        if status.state.terminated:
            self._metrics.execution_ended(status)
            self.forget(body)

    async def _refuse(
        self, body: Object, reason: str, message: str, now: datetime, memory: _Memory | None = None
    ) -> None:
        """End an execution with which nothing can be done, as any other step is taken."""
        status = ExecutionStatus(start_date=now) if memory is None else memory.status
        await self._take(body, memory, refuse(status, reason, message, now), now)

    async def _recall(self, body: Object) -> _Memory | None:
        """The status to continue from; None for an execution that has not begun."""
        uid, version = body["metadata"]["uid"], version_of(body)
        memory = self._memory.get(uid)
        if memory is not None and memory.version >= version:
            return memory
        raw = body.get("status") or {}
        if not raw.get("state"):
            return None
        status = ExecutionStatus.from_json(raw)
        status = await self._outputs.fetch(body["metadata"]["namespace"], status)
        memory = _Memory(version, status)
        self._memory[uid] = memory
        return memory

    def _identity(self, body: Object, revision: int, trigger: TriggerReference | None) -> Identity:
        meta = body["metadata"]
        return Identity(
            name=meta["name"],
            uid=meta["uid"],
            created=datetime.fromisoformat(meta["creationTimestamp"]),
            revision=revision,
            trigger=trigger,
            killed=(body.get("spec") or {}).get("kill") is True,
            environment=self._environment,
            globals=self._settings.variables,
        )


def _not_found(spec: ExecutionSpec) -> str:
    wanted = spec.flow
    if wanted.name is not None:
        return f"there is no Flow `{wanted.name}` in this namespace"
    return f"no Flow in this namespace has namespace `{wanted.namespace}` and id `{wanted.id}`"


def _soonest(*seconds: float | None) -> float | None:
    return min((value for value in seconds if value is not None), default=None)


def _wait(step: Step, now: datetime) -> float | None:
    return None if step.wake is None else max((step.wake - now).total_seconds(), 0.01)


def _outline(status: ExecutionStatus) -> list[tuple[str, State, int]]:
    """What was decided: the same for a task run that is about to run and one that runs."""
    return [(run.id, _decided(run), len(run.attempts)) for run in status.task_runs]


def _decided(run: TaskRun) -> State:
    return State.CREATED if run.state is State.RUNNING else run.state


def _decides(before: ExecutionStatus, after: ExecutionStatus) -> bool:
    return before.state is not after.state or _outline(before) != _outline(after)


def _differs(before: ExecutionStatus, after: ExecutionStatus) -> bool:
    return before.task_runs != after.task_runs or before.progress != after.progress
