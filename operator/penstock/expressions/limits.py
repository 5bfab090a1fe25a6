"""The limits of one rendering.

Templates come from people, so every place where work or memory can grow asks a :class:`Budget`
first. Nothing is interrupted from outside (no signals, no threads): each step is small and the
clock is read between steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, thread_time
from typing import TypeVar

from penstock.expressions.errors import LimitError

T = TypeVar("T")

# Characters of expressions in a text that is compiled where others wait.
_COMPILED_IN_SHARED = 8 * 1024

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
    """The rest of the limits that a rendering may still spend."""

    __slots__ = ("_items", "_text", "clock", "deadline", "limits", "may_wait")

    def __init__(self, limits: Limits, clock: Callable[[], float] = monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self.deadline = clock() + limits.seconds
        self._text = limits.output_chars * _TEXT_FACTOR
        self._items = limits.items * _ITEMS_FACTOR
        self.may_wait = True
        """Whether another process may be waited for."""

    def check_time(self) -> None:
        """Raise :class:`LimitError` when the time is over."""
        if self.clock() > self.deadline:
            raise LimitError(f"rendering takes longer than {self.limits.seconds:g} s")

    def remaining(self) -> float:
        """The seconds that are left, never less than a millisecond: for libraries that take a
        timeout."""
        return max(self.deadline - self.clock(), 0.001)

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

    def narrow(self, seconds: float, chars: int) -> None:
        """Leave no more than that."""
        self.deadline = min(self.deadline, self.clock() + seconds)
        self._text = min(self._text, chars)

    @property
    def text_left(self) -> int:
        """Characters of text that may still be built."""
        return self._text


class TooMuch(BaseException):
    """Expressions ask for more than may be spent here: they are to be evaluated elsewhere.

    It is no failure, and so no ``Exception``: nothing between the rendering and whoever sees to it
    that it is done elsewhere may take it for one.
    """


class Allowance:
    """What all renderings of one decision may spend together, beside the limits of each.

    Where it is spent, ``told`` says what becomes of the renderings that follow: an error that tells
    how much they may take, or (``told`` is None) ``TooMuch``. So does each rendering that comes to
    a limit of its own there, since in more room it may not.
    """

    def __init__(
        self,
        seconds: float,
        chars: int,
        told: str | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """``seconds`` are those of the thread's CPU. ``shared``: others wait in this process
        meanwhile; then long templates are not compiled, and no other process is waited for."""
        self._seconds = seconds
        self._chars = chars
        self._told = told
        self.template_chars = _COMPILED_IN_SHARED if shared else None
        self._may_wait = not shared

    def spend(self, rendering: Callable[[Budget], T], limits: Limits) -> T:
        """Render with what is left. Raises ``TooMuch``, or ``LimitError`` as the rendering does."""
        if self._seconds <= 0 or self._chars <= 0:
            self._refuse()
        budget = Budget(limits, thread_time)
        budget.narrow(self._seconds, self._chars)
        budget.may_wait = self._may_wait
        began, whole = thread_time(), budget.deadline
        text = budget.text_left
        try:
            return rendering(budget)
        except LimitError:
            if self._told is None:
                raise TooMuch from None
            raise
        finally:
            waited = budget.deadline - whole
            self._seconds -= max(thread_time() - began - waited, 0.0)
            self._chars -= text - budget.text_left

    def _refuse(self) -> None:
        if self._told is None:
            raise TooMuch
        raise LimitError(self._told)
