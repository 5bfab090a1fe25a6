"""Chains: flows whose triggers start each other, perhaps without end."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

LONGEST_CHAIN = 20
"""How many executions may have started one the other: the last of them starts nothing."""

Named = TypeVar("Named", bound=Hashable)
"""What names an execution where it is looked for: its name, or its namespace and its name."""


def is_endless(execution: Named, started_by: Callable[[Named], Named | None]) -> bool:
    """Tell whether an execution is the last one of the longest chain that there may be.

    ``started_by`` names the execution whose state made a trigger start one, by the name of that;
    None where no Flow trigger started it, or nothing is known of it.
    """
    length, at = 1, started_by(execution)
    while at is not None and length < LONGEST_CHAIN:
        length, at = length + 1, started_by(at)
    return length >= LONGEST_CHAIN
