"""What a worker process is asked, as data that goes there and answers there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from penstock.engine.decision.decision import Observations
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import Children, Step
from penstock.engine.interface.identity import Identity
from penstock.engine.interface.limits import Limits
from penstock.engine.interface.turn import Turn
from penstock.expressions import Allowance, spending
from penstock.flow.document import Flow
from penstock.flow.loading import SourceDocument
from penstock.flow.parse import ParsedFlow
from penstock.flow.problems import InvalidFlow, Problem
from penstock.resources.execution import ExecutionSpec, ExecutionStatus
from penstock.types import expressions, flow_parser

Call = Callable[..., Any]
"""Asks whoever asked the question to call one of their functions: by name, with its arguments."""

SECONDS = 10.0
CHARACTERS = 32 * 1024 * 1024
"""What all expressions of one decision may take together."""
_TOLD = (
    f"the expressions of one decision take more than {SECONDS:.0f} s or "
    f"{CHARACTERS // 1024**2} MiB of text together; let tasks do such work"
)


@dataclass(frozen=True)
class Begin:
    """The first decision of an execution."""

    identity: Identity
    spec: ExecutionSpec
    now: datetime
    turn: Turn
    source: ExecutionStatus | None

    def decide(self, engine: Engine) -> Step:
        """Decide. Raises ``NotLoaded``, and ``TooMuch`` where an allowance is spent."""
        return engine.begin(self.identity, self.spec, self.now, self.turn, self.source)


@dataclass(frozen=True)
class Advance:
    """A decision of an execution that has begun."""

    identity: Identity
    status: ExecutionStatus
    observations: Observations
    now: datetime
    children: Children
    turn: Turn

    def decide(self, engine: Engine) -> Step:
        """Decide. Raises ``NotLoaded``, and ``TooMuch`` where an allowance is spent."""
        return engine.advance(
            self.identity,
            self.status,
            self.observations,
            self.now,
            children=self.children,
            turn=self.turn,
        )


@dataclass(frozen=True)
class Decision:
    """A decision that takes longer than the controller's own process may."""

    asked: Begin | Advance
    flow: Flow
    limits: Limits
    functions: tuple[str, ...]
    """The names of what its expressions may call, which whoever asks calls for them."""

    def answer(self, call: Call) -> Step:
        """Decide. What the expressions take beyond the bounds is an error of theirs."""

        def functions(identity: Identity, flow: Flow) -> Mapping[str, Callable[..., Any]]:
            return {name: partial(call, name) for name in self.functions}

        engine = Engine(self.flow, expressions(), self.limits, functions)
        with spending(Allowance(SECONDS, CHARACTERS, _TOLD)):
            return self.asked.decide(engine)


@dataclass(frozen=True)
class Refused:
    """A flow that can't be accepted: all that is wrong with it."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


@dataclass(frozen=True)
class Check:
    """A flow that is to be read and checked."""

    spec: Any
    """The spec of the Flow, as the API server gives it."""

    def answer(self, call: Call) -> ParsedFlow | Refused:
        """Read and check it."""
        try:
            return flow_parser().parse(SourceDocument(self.spec))
        except InvalidFlow as error:
            return Refused(error.problems, error.warnings)


class Question(Protocol):
    """A question, and how a worker finds the answer. It goes there as data."""

    def answer(self, call: Call) -> Any:
        """Find the answer. ``call`` has a function called by whoever asks."""
