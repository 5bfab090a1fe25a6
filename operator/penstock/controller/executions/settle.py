"""Settling the effects of an observation, before the execution is decided: what must be so in the
world for the decision to count.

A controller that ends between two of these has stored nothing that was decided: the next one
observes the same, and each effect that was settled is found as it was left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from penstock.controller.attempts.settle import AttemptEffects
from penstock.controller.executions.fileinputs import FileInputs
from penstock.controller.executions.observe import NewExecution, Observed, OpenExecution
from penstock.controller.executions.resolution import Resolution, Start
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import AttemptKey, Children, Observation
from penstock.engine.interface.identity import Identity
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionSpec, ExecutionStatus


@dataclass(frozen=True)
class Beginning:
    """All that an execution is begun with."""

    spec: ExecutionSpec
    """The spec, with a URI of the storage for each file that is given."""
    start: Start


@dataclass(frozen=True)
class Situation:
    """All that is decided upon, of an execution that has begun."""

    spec: ExecutionSpec
    status: ExecutionStatus
    engine: Engine
    identity: Identity
    observations: Mapping[AttemptKey, Observation]
    children: Children


class Effects:
    """Settles the effects of observations."""

    def __init__(
        self, resolution: Resolution, file_inputs: FileInputs, attempts: AttemptEffects
    ) -> None:
        self._resolution = resolution
        self._file_inputs = file_inputs
        self._attempts = attempts

    async def settle(
        self, execution: Object, observed: Observed, now: datetime
    ) -> Beginning | Situation:
        """Settle everything that an observation names, and return what can be decided upon then.
        Raises ``NotYet`` and ``Refusal`` for an execution that can't begin."""
        if isinstance(observed, NewExecution):
            return await self._settle_new(execution, observed, now)
        return await self._settle_open(execution, observed)

    async def _settle_new(
        self, execution: Object, observed: NewExecution, now: datetime
    ) -> Beginning:
        """Let the revision of its flow be kept, and its files be in the storage. Done again, the
        same revision and the same URIs are found."""
        start = await self._resolution.find(execution, observed.spec, now)
        spec = await self._file_inputs.stored(execution, observed.spec, start)
        return Beginning(spec, start)

    async def _settle_open(self, execution: Object, observed: OpenExecution) -> Situation:
        """Settle the effects of one attempt after the other."""
        observations: dict[AttemptKey, Observation] = {}
        for key, seen in observed.attempts.items():
            observation = await self._attempts.settle(execution, observed.status, seen)
            if observation is not None:
                observations[key] = observation
        return Situation(
            observed.spec,
            observed.status,
            observed.engine,
            observed.identity,
            observations,
            observed.children,
        )
