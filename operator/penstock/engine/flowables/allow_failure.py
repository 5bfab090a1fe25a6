"""AllowFailure: a sequence whose failure is only a warning."""

from __future__ import annotations

from penstock.engine.flowables.sequential import Sequential
from penstock.resources.execution import State


class AllowFailure(Sequential):
    """Runs its tasks one after the other; where one failed, it ends with WARNING."""

    def outcome(self, worst_child: State) -> State:
        return State.WARNING if worst_child is State.FAILED else worst_child
