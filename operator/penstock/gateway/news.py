"""News: lets many wait for a change, each for as long as it likes."""

from __future__ import annotations

import asyncio


class News:
    """Wakes whoever waits when something was told."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def tell(self) -> None:
        """Wake all who wait now."""
        self._told.set()
        self._told = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """Wait until something is told, or so many seconds: whether something was."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._told.wait()
        except TimeoutError:
            return False
        return True
