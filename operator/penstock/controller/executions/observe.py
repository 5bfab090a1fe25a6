"""Observing an execution: all that is known before it is decided.

Nothing is written here, neither to the cluster nor to a memory; what has to be made so first is
named in the observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from penstock.controller.attempts.effects import ObservedAttempt
from penstock.controller.attempts.observation import AttemptObserver
from penstock.controller.executions.identities import Identities
from penstock.controller.executions.related import RelatedExecutions
from penstock.controller.executions.resolution import Refusal, Resolution
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import AttemptKey, Children
from penstock.engine.interface.identity import Identity
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionSpec, ExecutionStatus


@dataclass(frozen=True)
class NewExecution:
    """An execution that has not begun: its flow's revision is to be accepted first, and the files
    that it is given are to be stored."""

    spec: ExecutionSpec
    check: None = None


@dataclass(frozen=True)
class OpenExecution:
    """An execution that has begun, and what was seen of all that it waits for."""

    spec: ExecutionSpec
    status: ExecutionStatus
    engine: Engine
    identity: Identity
    attempts: Mapping[AttemptKey, ObservedAttempt]
    """The last attempt of each task run that is open, with the effects that are to be settled."""
    children: Children

    @property
    def check(self) -> float | None:
        """Seconds after which a waiting pod must be looked at again."""
        return soonest(*(seen.check for seen in self.attempts.values()))


Observed = NewExecution | OpenExecution


class Observer:
    """Observes executions."""

    def __init__(
        self,
        resolution: Resolution,
        attempts: AttemptObserver,
        related: RelatedExecutions,
        identities: Identities,
    ) -> None:
        self._resolution = resolution
        self._attempts = attempts
        self._related = related
        self._identities = identities

    async def observe(self, execution: Object, status: ExecutionStatus | None) -> Observed:
        """Observe an execution whose status is None until it has begun. Raises ``Refusal`` where
        nothing can be decided of it any more, and ``ApiError``."""
        spec = _spec(execution)
        if status is None:
            return NewExecution(spec)
        if status.flow is None:
            raise Refusal("InvalidStatus", "the status names no flow")
        engine = await self._resolution.pinned(execution["metadata"]["namespace"], status.flow)
        attempts = await self._observe_attempts(execution, status)
        identity = self._identities.of(execution, spec, status.flow.revision)
        children = await self._related.children(execution, identity, status)
        return OpenExecution(spec, status, engine, identity, attempts, children)

    async def _observe_attempts(
        self, execution: Object, status: ExecutionStatus
    ) -> dict[AttemptKey, ObservedAttempt]:
        """Observe every attempt that is open, and is no execution of its own."""
        observed: dict[AttemptKey, ObservedAttempt] = {}
        for run in status.task_runs:
            if run.state.terminated or not run.attempts or run.attempts[-1].state.terminated:
                continue
            if run.attempts[-1].execution is None:
                seen = await self._attempts.observe(execution, status, run)
                observed[seen.key] = seen
        return observed


def _spec(execution: Object) -> ExecutionSpec:
    try:
        return ExecutionSpec.model_validate(execution.get("spec") or {})
    except ValidationError as error:
        raise Refusal("InvalidExecution", str(error)) from None


def soonest(*seconds: float | None) -> float | None:
    """Return the least of the times that are known; None where there is none."""
    return min((value for value in seconds if value is not None), default=None)
