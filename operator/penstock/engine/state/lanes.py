"""Lane books: what settling remembers of a parent's lanes from one decision to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto


class LaneState(Enum):
    """What a lane is doing."""

    PENDING = auto()
    """The next child of the lane may not start yet, or never."""
    LIVE = auto()
    ENDED = auto()
    FAILED = auto()


@dataclass
class LaneBook:
    """The lanes that have begun and not ended, and where to go on. Lanes start in their order,
    except those that wait for others."""

    live: dict[int, None] = field(default_factory=dict)
    """Lanes of which something runs."""
    pending: dict[int, None] = field(default_factory=dict)
    """Lanes that have begun, and whose next child could not start."""
    blocked: dict[int, None] = field(default_factory=dict)
    """Lanes that could not begin when it was their turn."""
    next: int = 0
    """The first lane whose turn has not come."""
    fresh: bool = True
    """Whether no lane was looked at since the book was opened."""
    remaining: int = 0
    """How many children of the lanes that have begun have not started."""
    reached: dict[int, int] = field(default_factory=dict)
    """The first child of a lane that had not ended when it was looked at."""
    _unstarted: dict[int, int] = field(default_factory=dict)

    def enter(self, index: int, state: LaneState, unstarted: int, *, begun: bool) -> None:
        """Note what a lane does."""
        for lanes in (self.live, self.pending, self.blocked):
            lanes.pop(index, None)
        self.remaining -= self._unstarted.pop(index, 0)
        if state in (LaneState.ENDED, LaneState.FAILED):
            self.reached.pop(index, None)
        if state is LaneState.LIVE:
            self.live[index] = None
        elif state is LaneState.PENDING:
            (self.pending if begun else self.blocked)[index] = None
        if state in (LaneState.LIVE, LaneState.PENDING) and unstarted:
            self._unstarted[index] = unstarted
            self.remaining += unstarted
