"""A keyed queue: many events about one object become one reconcile, and never two at once.

Invariants:

- a key is worked on by at most one worker at a time;
- a key that is added while it is worked on is worked on once more afterwards;
- the namespaces that have keys ready take turns, so a namespace waits for one key of each other
  one at most, however many keys these have; within a namespace keys keep their order;
- while the process is busy, a namespace that was served more than the others waits, as long as
  there are others (see `runtime.headroom`);
- a key comes back when the outcome of its reconcile says so (see `runtime.outcomes`): one that
  fails each time a little later, and it never holds up another key.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from penstock.controller.runtime.headroom import Headroom
from penstock.controller.runtime.outcomes import (
    FIRST_RETRY,
    Outcome,
    Pace,
    Retry,
    Stalled,
    outcome_of,
)

_MOMENT = 0.005
"""Seconds after which a namespace that has to wait asks again."""

logger = logging.getLogger(__name__)


class Key(NamedTuple):
    """One object to reconcile."""

    kind: str
    namespace: str
    name: str


Reconcile = Callable[[Key], Awaitable[Outcome]]


class ReadyKeys:
    """The keys that are ready, in the order in which they are taken: of each namespace one, then of
    each the next. Adding and taking cost the same however many keys and namespaces there are."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, deque[Key]] = OrderedDict()
        """The keys of each namespace; the namespace whose turn comes next stands first."""
        self._size = 0

    def add(self, key: Key) -> None:
        """Put a key behind those of its namespace. A namespace that had none comes last."""
        self._of.setdefault(key.namespace, deque()).append(key)
        self._size += 1

    def take(self, may: Callable[[str], bool] = lambda namespace: True) -> Key | None:
        """Take out the key whose turn it is, of the first namespace that may be served; None where
        there is none."""
        namespace = next(filter(may, self._of), None)
        if namespace is None:
            return None
        keys = self._of.pop(namespace)
        key = keys.popleft()
        if keys:
            self._of[namespace] = keys  # behind all others
        self._size -= 1
        return key

    def clear(self) -> None:
        """Drop all keys."""
        self._of.clear()
        self._size = 0

    def __iter__(self) -> Iterator[Key]:
        return (key for keys in self._of.values() for key in keys)

    def __len__(self) -> int:
        return self._size


class KeyedQueue:
    """Calls `reconcile` for keys, with a bounded number of workers."""

    def __init__(self, reconcile: Reconcile, workers: int) -> None:
        self._reconcile = reconcile
        self._ready = ReadyKeys()
        self._queued: set[Key] = set()
        self._active: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._pace = Pace()
        self._headroom = Headroom()
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
        """Reconcile a key as soon as a worker is free; one that has just failed after a pause."""
        if key in self._active:
            self._again.add(key)
        elif pause := self._pace.pause(key, time.monotonic()):
            self.add_later(key, pause)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.add(key)
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
                key = await self._next()
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

    async def _next(self) -> Key:
        """Take the key whose turn it is, as soon as there is one."""
        while True:
            key = self._ready.take(self._headroom.admits)
            if key is not None:
                self._headroom.taken(key.namespace)
                return key
            self.last_progress = time.monotonic()
            self._wakeup.clear()
            await (asyncio.sleep(_MOMENT) if self._ready else self._wait_for_work())

    async def _wait_for_work(self) -> None:
        """Wait, but not for ever: an empty queue is progress too, and the probe wants to see it."""
        with suppress(TimeoutError):
            # Not `wait_for`: it swallows a cancellation that comes together with a wakeup.
            async with asyncio.timeout(5.0):
                await self._wakeup.wait()

    async def _work(self, key: Key) -> None:
        try:
            try:
                outcome = await self._reconcile(key)
            except Exception as error:
                outcome = outcome_of(error)
            self._settle(key, outcome)
        finally:
            self.last_progress = time.monotonic()
            self._active.discard(key)
            self._idle_workers.release()
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    def _settle(self, key: Key, outcome: Outcome) -> None:
        wait = self._pace.seconds(key, outcome, time.monotonic())
        if wait is None:
            return
        if isinstance(outcome, Retry | Stalled):
            logger.log(
                # Whoever writes at the same time as somebody else just looks again.
                logging.DEBUG if wait < FIRST_RETRY / 2 else logging.WARNING,
                "%s %s/%s failed, is tried again in %.1f s: %s: %s",
                *(key.kind, key.namespace, key.name, wait, outcome.reason, outcome.message),
                exc_info=outcome.error if isinstance(outcome, Retry) else None,
            )
        self.add_later(key, wait)

    def _fire(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
