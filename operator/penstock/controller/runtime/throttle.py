"""How fast Jobs are made."""

from __future__ import annotations

import asyncio
import time


class Throttle:
    """A token bucket. The Job controller completes few Jobs a second with its default limits;
    making them much faster only fills its queue.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._at = time.monotonic()
        self._lock = asyncio.Lock()

    async def take(self) -> None:
        async with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
            self._at = now
            if self._tokens < 1:
                await asyncio.sleep((1 - self._tokens) / self._per_second)
                self._tokens, self._at = 1.0, time.monotonic()
            self._tokens -= 1
