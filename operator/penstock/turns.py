"""Whose turn it is: so many calls at once, and each tenant as much of them as any other.

A share of its own bounds one tenant, but a few that have each used up theirs hold everything, be it
by intent. So no tenant gets another turn while it has as many as are free: of n tenants that want
all they can get, each has one part of n + 1, and one part stays free for whoever has none. One that
is alone gets half of all that way, and its share, where that is less.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turn:
    """The right to work, until it is given back."""

    def __init__(self, turns: Turns, tenant: str) -> None:
        self._turns = turns
        self._tenant = tenant
        self._held = True
        self.passed_on = False
        """Whether whoever took it gives it back by itself, later than the block ends."""

    def give_back(self) -> None:
        """Let the next one work. Giving it back again does nothing."""
        if self._held:
            self._held = False
            self._turns._ended(self._tenant)


class Turns:
    """Lets in ``at_once`` calls together, of each tenant ``per_tenant``, and never more than leave
    as many for others; those that wait come one tenant after the other, whoever has how many. For
    one event loop."""

    def __init__(self, at_once: int, per_tenant: int) -> None:
        self._at_once = at_once
        self._per_tenant = per_tenant
        self._running = Counter[str]()
        self._waiting: dict[str, deque[asyncio.Future[Turn]]] = {}
        """The calls that wait, by tenant; the tenant whose turn came last stands last."""

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[Turn]:
        """Wait for a turn, and hold it while the block runs."""
        turn = await self._taken(tenant)
        try:
            yield turn
        finally:
            if not turn.passed_on:
                turn.give_back()

    def has_room(self, tenant: str) -> bool:
        """Whether a call of the tenant would begin at once."""
        held = self._running[tenant]
        return held < min(self._per_tenant, self._at_once - self._running.total())

    async def _taken(self, tenant: str) -> Turn:
        future: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(future)
        self._call_next()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                future.result().give_back()
            raise

    def _ended(self, tenant: str) -> None:
        self._running[tenant] -= 1
        if not self._running[tenant]:
            del self._running[tenant]
        self._call_next()

    def _call_next(self) -> None:
        while (tenant := next(filter(self.has_room, self._waiting), None)) is not None:
            queue = self._waiting.pop(tenant)
            future = queue.popleft()
            if queue:
                self._waiting[tenant] = queue  # behind all others
            if not future.done():  # whoever waited has not gone
                self._running[tenant] += 1
                future.set_result(Turn(self, tenant))
