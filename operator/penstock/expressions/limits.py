"""What one rendering may cost.

Templates come from people, so every place where work or memory can grow asks a :class:`Budget`
first. Nothing is interrupted from outside (no signals, no threads): each step is small and the
clock is read between steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from penstock.expressions.errors import LimitError

# All text (list items) that one rendering may build, as a multiple of the largest single one:
# values that were dropped count too, which keeps the bookkeeping to one addition.
_TEXT_FACTOR = 16
_ITEMS_FACTOR = 100


@dataclass(frozen=True)
class Limits:
    """Bounds of one call of render, evaluate or render_tree."""

    seconds: float = 2.0
    output_chars: int = 4_194_304
    template_chars: int = 1_048_576
    depth: int = 100
    items: int = 100_000
    passes: int = 100


class Budget:
    """What is left of the limits."""

    __slots__ = ("_items", "_text", "deadline", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.deadline = monotonic() + limits.seconds
        self._text = limits.output_chars * _TEXT_FACTOR
        self._items = limits.items * _ITEMS_FACTOR

    def check_time(self) -> None:
        """Raise :class:`LimitError` when the time is over."""
        if monotonic() > self.deadline:
            raise LimitError(f"rendering takes longer than {self.limits.seconds:g} s")

    def remaining(self) -> float:
        """The seconds that are left, never less than a millisecond: for libraries that take a
        timeout."""
        return max(self.deadline - monotonic(), 0.001)

    def extend(self, seconds: float) -> None:
        """Give back time that was spent waiting for the host, not computing."""
        self.deadline += seconds

    def text(self, chars: int) -> None:
        """Ask before a text of this length is built."""
        if chars > self.limits.output_chars:
            raise LimitError(f"a text is longer than {self.limits.output_chars} characters")
        self._text -= chars
        if self._text < 0:
            raise LimitError("rendering builds too much text")

    def items(self, count: int) -> None:
        """Ask before a collection of this size is built or walked."""
        if count > self.limits.items:
            raise LimitError(f"more than {self.limits.items} items")
        self._items -= count
        if self._items < 0:
            raise LimitError("rendering handles too many items")
