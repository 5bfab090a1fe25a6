"""What an execution waits for, as a sentence.

The sentence stands in the status, so it must stay true without a write of all that wait at each
step. So how many come before is told exactly below ten; more are told as ten, a hundred or a
thousand, or more. At one step of a line the sentences of eleven executions change at most, however
many wait, and an execution has its sentence changed a dozen times before its turn comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_STEPS = (1000, 100, 10)

Level = Literal["flow", "namespace", "installation"]


@dataclass(frozen=True)
class Wait:
    """What an execution waits for."""

    level: Level
    """Whose limit it is that holds it back."""
    limit: int
    """0 where there is a slot, which is kept for others that come before."""
    ahead: int
    """How many come before it, as `size` tells it."""


def size(count: int) -> int:
    """Tell a number that may be large by its size, a small one exactly."""
    return next((step for step in _STEPS if count >= step), count)


def sentence(wait: Wait, flow: str) -> str:
    """Say what an execution of a flow waits for."""
    if wait.limit == 0:
        return "waiting for its turn"
    owner = flow if wait.level == "flow" else f"the {wait.level}"
    slots = f"one of {wait.limit} slots" if wait.limit > 1 else "the only slot"
    if wait.ahead == 0:
        return f"waiting for {slots} of {owner}; it comes next"
    count = f"{wait.ahead} or more" if wait.ahead in _STEPS else str(wait.ahead)
    # Of the queues of other namespaces nobody is told.
    whose = " of this namespace" if wait.level == "installation" else ""
    return f"waiting for {slots} of {owner}; {count}{whose} {_be(wait.ahead)} before it"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"
