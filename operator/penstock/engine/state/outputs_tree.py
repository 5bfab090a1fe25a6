"""The outputs of an execution's task runs, as expressions see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Scope = tuple[tuple[str, int | None], ...]
"""The iterations of isolating loops around a task run, outermost first: the loop's task run and
the index of the value."""


class OutputsTree:
    """Holds outputs by scope, task and loop values. It grows as they come, and is not made for each
    expression."""

    def __init__(self) -> None:
        self._by_scope: dict[Scope, dict[str, Any]] = {}
        self.spoiled = False
        """Whether it holds something that is gone."""

    def spoil(self) -> None:
        self.spoiled = True

    def place(self, scope: Scope, path: Sequence[str], outputs: Mapping[str, Any]) -> None:
        """Put one task run's outputs at their place."""
        level = self._by_scope.setdefault(scope, {})
        for part in path:
            level = level.setdefault(part, {})
        level.update(outputs)

    def seen_from(self, scope: Scope) -> dict[str, Any]:
        """Give what is seen in a scope: its own outputs, and those of the scopes around it."""
        if not scope:
            return self._by_scope.setdefault((), {})
        seen: dict[str, Any] = {}
        for depth in range(len(scope) + 1):
            seen |= self._by_scope.get(scope[:depth], {})
        return seen
