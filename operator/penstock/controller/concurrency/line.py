"""A line: those of one flow that wait for a slot, in the order in which they come."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection

from penstock.controller.concurrency.standing import Place, Standing

Entry = tuple[Place, str]
"""A place, and the uid of the execution that has it."""


class Line:
    """The executions of one flow that wait. Whoever comes first stands first."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._riding: dict[str, Place] = {}
        """The executions that need a slot of their own flow only."""

    def add(self, standing: Standing, *, rides: bool) -> None:
        """Let an execution wait. ``rides`` says that it needs a slot of its own flow only."""
        insort(self.entries, (standing.place, standing.uid))
        if rides:
            self._riding[standing.uid] = standing.place

    def remove(self, standing: Standing) -> None:
        """Take an execution out of the line, in which it is."""
        del self.entries[bisect_left(self.entries, (standing.place, standing.uid))]
        self._riding.pop(standing.uid, None)

    def before(self, place: Place) -> int:
        """Count those that come before a place."""
        return bisect_left(self.entries, (place, ""))

    def first(self, passed: Collection[str], *, riding: bool) -> Entry | None:
        """Find who comes first, of those that are not passed over; with ``riding``, of those that
        need a slot of their own flow only."""
        if riding:
            called = ((place, uid) for uid, place in self._riding.items() if uid not in passed)
            return min(called, default=None)
        return next((entry for entry in self.entries if entry[1] not in passed), None)
