"""Asking the engine: all that is known of an execution goes in, one step comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from penstock.controller.attempts.jobs import Jobs
from penstock.controller.executions.related import RelatedExecutions
from penstock.controller.executions.resolution import (
    NotYet,
    Refusal,
    Resolution,
    Start,
    wanted_restart,
)
from penstock.controller.files.provenance import Provenance
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import AttemptKey, Children, Observation, Report, Step
from penstock.engine.interface.identity import Identity, identity_of
from penstock.engine.interface.turn import Turn
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import (
    CallerReference,
    ControlResult,
    ExecutionSpec,
    ExecutionStatus,
)
from penstock.storage.errors import StorageUnavailable

_AGAIN = 1.0
"""Seconds until the storage is looked for again, by an execution that begins."""


@dataclass(frozen=True)
class Seen:
    """All that is known when an execution is decided."""

    spec: ExecutionSpec
    engine: Engine
    status: ExecutionStatus
    observations: dict[AttemptKey, Observation]
    children: Children
    check: float | None
    """Seconds after which a pod must be looked at again."""


class Decisions:
    """Looks at executions, and decides for them."""

    def __init__(
        self,
        starts: Resolution,
        jobs: Jobs,
        family: RelatedExecutions,
        provenance: Provenance,
        environment: Mapping[str, str],
        variables: Mapping[str, Any],
    ) -> None:
        self._starts = starts
        self._jobs = jobs
        self._family = family
        self._provenance = provenance
        self._environment = environment
        self._variables = variables

    def begin(
        self, body: Object, spec: ExecutionSpec, start: Start, turn: Turn, now: datetime
    ) -> Step:
        """The first step. Raises ``NotYet`` while it can't be told who called it."""
        identity = self._identity(body, spec, start.flow.revision)
        noted = {"flow": start.flow, "called_by": self._caller(body)}
        step = start.engine.begin(identity, spec, now, turn, start.source)
        step = replace(step, status=step.status.model_copy(update=noted))
        if step.refusal is not None:
            return step
        text = f"revision {start.flow.revision} of the flow"
        return replace(step, reports=(Report("Started", text), *step.reports))

    def _caller(self, body: Object) -> CallerReference | None:
        try:
            return self._provenance.caller(body)
        except StorageUnavailable:
            raise NotYet(_AGAIN) from None

    async def look(self, body: Object, spec: ExecutionSpec, status: ExecutionStatus) -> Seen:
        """All that is known now. Raises ``Refusal`` where it can't be decided any more."""
        if status.flow is None:
            raise Refusal("InvalidStatus", "the status names no flow")
        engine = await self._starts.pinned(body["metadata"]["namespace"], status.flow)
        observations, check = await self._observe(body, status)
        identity = self._identity(body, spec, status.flow.revision)
        children = await self._family.children(body, identity, status)
        return Seen(spec, engine, status, observations, children, check)

    async def decide(self, body: Object, seen: Seen, turn: Turn, now: datetime) -> Step:
        """The next step; by another revision, where a restart names one."""
        restart = wanted_restart(seen.spec, seen.status)
        if restart is not None:
            control, revision = restart
            namespace = body["metadata"]["namespace"]
            try:
                other = await self._starts.for_restart(namespace, seen.status, revision)
            except Refusal as error:
                return refused_controls(seen.status, [control.id], str(error), now)
            step = self._advance(body, _pinned_to(seen, other, revision), turn, now)
            if any(result.id == control.id and result.done for result in step.status.controls):
                return step
        return self._advance(body, seen, turn, now)

    def _advance(self, body: Object, seen: Seen, turn: Turn, now: datetime) -> Step:
        assert seen.status.flow is not None
        identity = self._identity(body, seen.spec, seen.status.flow.revision)
        return seen.engine.advance(
            identity, seen.status, seen.observations, now, children=seen.children, turn=turn
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
            seen, again = await self._jobs.observe(body, status, run)
            if seen is not None:
                observations[run.id, attempt.number] = seen
            check = soonest(check, again)
        return observations, check

    def _identity(self, body: Object, spec: ExecutionSpec, revision: int) -> Identity:
        meta = body["metadata"]
        return identity_of(
            meta["name"],
            meta["uid"],
            datetime.fromisoformat(meta["creationTimestamp"]),
            spec,
            revision,
            self._environment,
            self._variables,
        )


def _pinned_to(seen: Seen, engine: Engine, revision: int) -> Seen:
    assert seen.status.flow is not None
    flow = seen.status.flow.model_copy(update={"revision": revision})
    return replace(seen, engine=engine, status=seen.status.model_copy(update={"flow": flow}))


def refused_controls(
    status: ExecutionStatus, controls: Iterable[str], message: str, now: datetime
) -> Step:
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


def soonest(*seconds: float | None) -> float | None:
    return min((value for value in seconds if value is not None), default=None)
