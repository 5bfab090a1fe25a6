"""Counts the errors of the controller's own, by the object of which a reconcile they ended.

One that comes back each time will not pass by waiting: where the object can be ended, it is.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

LASTING_TIMES = 5
LASTING_SECONDS = 10.0
"""An error lasts that ended so many reconciles in a row, over so many seconds."""


@dataclass
class _Fault:
    since: float
    times: int = 0


class Faults:
    """Knows which objects fail again and again."""

    def __init__(self) -> None:
        self._faults: dict[Hashable, _Fault] = {}

    def add(self, key: Hashable, now: float) -> int:
        """Take in that a reconcile ended by an error; how often in a row that was."""
        fault = self._faults.setdefault(key, _Fault(now))
        fault.times += 1
        return fault.times

    def is_lasting(self, key: Hashable, now: float) -> bool:
        """Whether the error has come back so often, and for so long, that it will not pass."""
        fault = self._faults.get(key)
        if fault is None or fault.times < LASTING_TIMES:
            return False
        return now - fault.since >= LASTING_SECONDS

    def forget(self, key: Hashable) -> None:
        """Take in that a reconcile ended otherwise."""
        self._faults.pop(key, None)
