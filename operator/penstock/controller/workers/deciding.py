"""Decisions: here where they are small, by a worker where their expressions take long."""

from __future__ import annotations

from collections.abc import Callable

from penstock.controller.workers.pool import Workers
from penstock.controller.workers.questions import Advance, Begin, Decision
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import Step
from penstock.engine.interface.limits import Limits
from penstock.engine.rendering.evaluation import HostFunctions
from penstock.expressions import Allowance, TooMuch, spending

SECONDS = 0.1
"""CPU seconds that all expressions of a decision may take in the controller's own process."""
CHARACTERS = 4 * 1024 * 1024
"""All text that they may build there."""


class Deciding:
    """Decides for executions, so that none holds up another."""

    def __init__(
        self, workers: Workers, limits: Limits, functions: Callable[[str], HostFunctions]
    ) -> None:
        """``functions`` gives those of the expressions of a tenant."""
        self._workers = workers
        self._limits = limits
        self._functions = functions

    async def step(self, tenant: str, engine: Engine, asked: Begin | Advance) -> Step:
        """Decide. Raises ``NotLoaded``, and ``WorkerLost`` where that can't be done."""
        try:
            with spending(Allowance(SECONDS, CHARACTERS, shared=True)):
                return asked.decide(engine)
        except TooMuch:
            pass
        functions = self._functions(tenant)(asked.identity, engine.flow)
        decision = Decision(asked, engine.flow, self._limits, tuple(functions))
        step: Step = await self._workers.ask(tenant, decision, functions)
        return step
