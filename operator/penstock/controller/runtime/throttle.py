"""How fast Jobs are made, and that namespaces take turns in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from penstock.turns import Turns


class Throttle:
    """A token bucket. The Job controller completes few Jobs a second with its default limits;
    making them much faster only fills its queue.

    While the bucket is empty tenants take turns: whoever waits for the next token has at most one
    of each other tenant before it, however many these want.
    """

    def __init__(
        self,
        per_second: float,
        burst: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._tokens = float(burst)
        self._at = clock()
        self._turns = Turns(at_once=1, per_tenant=1)

    async def take(self, tenant: str) -> None:
        """Wait for a token, and take it."""
        async with self._turns.turn(tenant):
            self._fill()
            while self._tokens < 1:
                await self._sleep((1 - self._tokens) / self._per_second)
                self._fill()
            self._tokens -= 1

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
