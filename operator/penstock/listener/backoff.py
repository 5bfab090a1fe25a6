"""Backoff: how long to wait until something that failed is tried again."""

from __future__ import annotations

import random
from asyncio import sleep

FIRST, LONGEST = 0.5, 60.0
"""Seconds until what failed is tried again: doubled each time, up to the longest."""


class Backoff:
    """Waits longer after each failure in a row, each time by chance a little more or less, so that
    many that failed together don't come again together."""

    def __init__(self, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first = first
        self._longest = longest
        self._failures = 0

    def reset(self) -> None:
        """Take in that it worked."""
        self._failures = 0

    async def wait(self, at_least: float = 0.0) -> None:
        """Wait after a failure."""
        seconds = min(self._first * 2**self._failures, self._longest)
        self._failures = min(self._failures + 1, 16)
        await sleep(max(seconds * random.uniform(0.8, 1.2), at_least))
