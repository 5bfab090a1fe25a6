"""A keyed queue: many events about one object become one reconcile, and never two at once.

Invariants:

- a key is worked on by at most one worker at a time;
- a key that is added while it is worked on is worked on once more afterwards;
- a key that fails comes back later, each time a little later, and never holds up another key.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

logger = logging.getLogger(__name__)

FIRST_RETRY = 0.2
"""Seconds until a failed key is tried again; doubles each time."""
LONGEST_RETRY = 60.0


class Key(NamedTuple):
    """One object to reconcile."""

    kind: str
    namespace: str
    name: str


Reconcile = Callable[[Key], Awaitable[None]]


class KeyedQueue:
    """Calls `reconcile` for keys, with a bounded number of workers."""

    def __init__(self, reconcile: Reconcile, workers: int) -> None:
        self._reconcile = reconcile
        self._ready: deque[Key] = deque()
        self._queued: set[Key] = set()
        self._active: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._idle_workers = asyncio.Semaphore(workers)
        self._wakeup = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.last_progress = time.monotonic()
        """When a key was last finished or the queue was last seen empty."""

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        return len(self._ready) + len(self._again)

    def add(self, key: Key) -> None:
        """Reconcile a key as soon as a worker is free."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.append(key)
            self._wakeup.set()

    def add_later(self, key: Key, seconds: float) -> None:
        """Reconcile a key after a while, at the earliest time that anyone asked for."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(seconds, 0.0)
        pending = self._timers.get(key)
        if pending is not None and not pending.cancelled():
            if pending.when() <= when:
                return
            pending.cancel()
        self._timers[key] = loop.call_at(when, self._fire, key)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._idle_workers.acquire()
                while not self._ready:
                    self.last_progress = time.monotonic()
                    self._wakeup.clear()
                    await self._wait_for_work()
                key = self._ready.popleft()
                self._queued.discard(key)
                self._active.add(key)
                task = asyncio.create_task(self._work(key))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            for task in self._tasks:
                task.cancel()

    async def _wait_for_work(self) -> None:
        """Wait, but not for ever: an empty queue is progress too, and the probe wants to see it."""
        with suppress(TimeoutError):
            # Not `wait_for`: it swallows a cancellation that comes together with a wakeup.
            async with asyncio.timeout(5.0):
                await self._wakeup.wait()

    async def _work(self, key: Key) -> None:
        try:
            await self._reconcile(key)
            self._failures.pop(key, None)
        except Exception as error:
            self._retry(key, error)
        finally:
            self.last_progress = time.monotonic()
            self._active.discard(key)
            self._idle_workers.release()
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    def _retry(self, key: Key, error: Exception) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(FIRST_RETRY * 2**failures, LONGEST_RETRY) * random.uniform(0.8, 1.2)
        known = getattr(error, "transient", None) is not None
        logger.warning(
            "%s %s/%s failed, is tried again in %.1f s: %s",
            key.kind,
            key.namespace,
            key.name,
            delay,
            error,
            exc_info=None if known else error,
        )
        self.add_later(key, delay)

    def _fire(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
