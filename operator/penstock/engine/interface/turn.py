"""Whether an execution may run beside the others of its flow."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.flow.document import Concurrency


@dataclass(frozen=True)
class Turn:
    """Counts the other executions of the flow, as whoever knows them all does."""

    concurrency: Concurrency | None = None
    """What the newest revision of the flow says, so that a change holds at once."""
    holders: int = 0
    """Others that have begun and not ended; paused ones hold their place."""
    ahead: int = 0
    """Others that wait as well, and came first."""

    @property
    def has_come(self) -> bool:
        return self.concurrency is None or self.holders + self.ahead < self.concurrency.limit


ALONE = Turn()
