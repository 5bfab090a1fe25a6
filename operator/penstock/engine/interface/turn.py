"""Whether an execution may run beside others."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.flow.document import Concurrency


@dataclass(frozen=True)
class Turn:
    """Tells of the other executions, as whoever knows them all does."""

    concurrency: Concurrency | None = None
    """What the newest revision of the flow says, so that a change holds at once."""
    holders: int = 0
    """Others of the flow that have begun and not ended; paused ones hold their slot."""
    ahead: int = 0
    """Others of the flow that wait as well, and come first."""
    has_room: bool = True
    """Whether there is a slot beside executions of other flows, where these are limited too."""
    waits_for: str | None = None
    """What the execution waits for where its turn has not come, in words."""

    @property
    def has_slot_of_flow(self) -> bool:
        """Whether the limit of the flow leaves a slot."""
        return self.concurrency is None or self.holders + self.ahead < self.concurrency.limit

    @property
    def has_come(self) -> bool:
        """Whether the execution may run."""
        return self.has_room and self.has_slot_of_flow


ALONE = Turn()
