"""How states combine."""

from __future__ import annotations

from collections.abc import Iterable

from penstock.resources.execution import State

_WORST_FIRST = (State.KILLED, State.CANCELLED, State.FAILED, State.RETRIED, State.WARNING)


def worst(states: Iterable[State]) -> State:
    """The end state of a whole by the end states of its parts; SUCCESS where there are none."""
    present = set(states)
    found = next((state for state in _WORST_FIRST if state in present), State.SUCCESS)
    # Of a part that was to be done by another execution, which then was not made.
    return State.FAILED if found is State.RETRIED else found
