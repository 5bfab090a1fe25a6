"""Serves all triggers of a namespace: asks which there are, and runs each in a task."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from penstock.listener.backoff import Backoff
from penstock.listener.gateway import Assigned, GatewayAway, Listing, NotThere, Refused
from penstock.listener.trigger_run import TriggerRun, Workshop

_FAREWELL = 10.0
"""Seconds within which a trigger that is not served any more closes its source."""
_LAST_WORDS = 5.0
"""Seconds for which the gateway is told what is news at the end: where polls go on, for example."""

logger = logging.getLogger(__name__)


class Supervisor:
    """Runs each trigger in a task of its own."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._running: dict[tuple[str, str], tuple[Assigned, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Serve until cancelled; with the gateway away, what is known goes on."""
        reporting = asyncio.create_task(self._shop.reports.run())
        try:
            await self._follow()
        finally:
            reporting.cancel()
            await self._end([task for _, task in self._running.values()])
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS):
                    await self._shop.reports.tell()

    async def _follow(self) -> None:
        revision, backoff = "", Backoff(longest=15.0)
        while True:
            try:
                listing = await self._shop.gateway.triggers(revision)
            except (GatewayAway, NotThere, Refused) as error:
                logger.warning("which triggers there are is not known: %s", error)
                await backoff.wait()
                continue
            backoff.reset()
            if listing is not None:
                revision = listing.revision
                await self._adopt(listing)

    async def _adopt(self, listing: Listing) -> None:
        """End what is not served any more, or otherwise; then start what is new."""
        wanted = {assigned.place: assigned for assigned in listing.triggers}
        ending = []
        for place, (assigned, task) in list(self._running.items()):
            if wanted.get(place) != assigned:
                del self._running[place]
                ending.append(task)
                if place not in wanted:
                    self._shop.reports.forget(place)
        await self._end(ending)
        for place, assigned in wanted.items():
            if place not in self._running:
                # What is known here is newer than what stands in the TriggerState.
                memory = self._shop.reports.of(place).memory
                if memory is None:
                    memory = listing.memories.get(place)
                run = TriggerRun(assigned, memory, self._shop)
                self._running[place] = assigned, asyncio.create_task(run.run())
        logger.info("%d triggers are served", len(self._running))

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        """Let sources be closed. One that does not close in time is left to itself."""
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_FAREWELL)
