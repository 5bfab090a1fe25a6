"""The reconcilers by kind, and the queues whose workers call them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from penstock.controller.runtime.faults import Faults
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.outcomes import (
    AtOnce,
    NotListed,
    Outcome,
    Retry,
    Stalled,
    after,
    outcome_of,
)
from penstock.controller.runtime.quarantine import Quarantine
from penstock.controller.runtime.queue import Key, KeyedQueue
from penstock.controller.runtime.waits import Waits
from penstock.kubernetes.api.client import ApiError, Object

logger = logging.getLogger(__name__)

SOURCE_WORKERS = 1000
"""GitSources have workers of their own: remotes that hang must not hold up executions, nor each
other. They only wait: the Git service says whose turn it is."""

Reconcile = Callable[[str, str], Awaitable[float | None]]
"""Brings one object, by namespace and name, to where it should be. Returns the seconds after which
to look again, or None."""
GiveUp = Callable[[str, str, Exception, bool], Awaitable[bool]]
"""Ends an object, by namespace and name, whose reconcile an error of the controller's own ended.
Told whether that error lasts; tells whether the object has ended."""
Removed = Callable[[Object], None]
"""Takes in that an object is gone: what goes on for it is of no use any more."""


class Reconcilers:
    """Calls the reconciler of each object that is marked as changed."""

    def __init__(
        self, metrics: Metrics, waits: Waits, quarantine: Quarantine, workers: int
    ) -> None:
        self._metrics = metrics
        self._quarantine = quarantine
        self._waits = waits
        self._reconcile_of: dict[str, Reconcile] = {}
        self._removed_of: dict[str, Removed] = {}
        self._give_up_of: dict[str, GiveUp] = {}
        self._faults = Faults()
        self._unlisted: set[Key] = set()
        """The keys that wait for a list."""
        self.queue = KeyedQueue(self._reconcile, workers)
        self._source_queue = KeyedQueue(self._reconcile, SOURCE_WORKERS)

    @property
    def depth(self) -> int:
        """Objects that wait for a worker."""
        return self.queue.depth + self._source_queue.depth

    def serve(self, kind: str, reconcile: Reconcile, removed: Removed = lambda gone: None) -> None:
        """Let a kind be reconciled. ``removed`` is told of each object of it that is gone, before
        its last reconcile."""
        self._reconcile_of[kind] = reconcile
        self._removed_of[kind] = removed

    def serve_faults(self, kind: str, give_up: GiveUp) -> None:
        """Let objects of a kind be ended of which each reconcile fails."""
        self._give_up_of[kind] = give_up

    def of(self, kind: str) -> Reconcile:
        """Return what reconciles a kind."""
        return self._reconcile_of[kind]

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.queue.run())
            tasks.create_task(self._source_queue.run())

    def add(self, kind: str, changed: Object) -> None:
        """Let an object be reconciled."""
        meta = changed["metadata"]
        self.add_key(Key(kind, meta["namespace"], meta["name"]))

    def add_key(self, key: Key) -> None:
        """Let an object be reconciled, which need not be there."""
        (self._source_queue if key.kind == "GitSource" else self.queue).add(key)

    def listed(self) -> None:
        """Let everything be reconciled that waits for a list."""
        waiting, self._unlisted = self._unlisted, set()
        for key in waiting:
            self.add_key(key)

    def removed(self, kind: str, gone: Object) -> None:
        """Let the reconciler of a kind take in that an object is gone."""
        self._removed_of[kind](gone)

    async def _reconcile(self, key: Key) -> Outcome:
        started = time.monotonic()
        if (refused := self._quarantine.refuses(key)) is not None:
            await self._waits.tell(key, refused)
            return refused
        try:
            async with self._quarantine.noted(key):
                outcome = after(await self.of(key.kind)(key.namespace, key.name))
        except Exception as error:
            outcome = outcome_of(error)
            if isinstance(error, NotListed):
                self._unlisted.add(key)
        if isinstance(outcome, Retry) and outcome.error is not None:
            outcome = await self._after_fault(key, outcome, outcome.error)
        elif not isinstance(outcome, Retry | Stalled):
            self._faults.forget(key)
        self._metrics.reconciled(key.kind, time.monotonic() - started)
        await self._waits.tell(key, outcome)
        return outcome

    async def _after_fault(self, key: Key, outcome: Retry, error: Exception) -> Outcome:
        """Say what follows an error of the controller's own: the object is tried again, or ends."""
        now = time.monotonic()
        times = self._faults.add(key, now)
        give_up = self._give_up_of.get(key.kind)
        if give_up is not None:
            try:
                lasts = self._faults.is_lasting(key, now)
                if await give_up(key.namespace, key.name, error, lasts):
                    self._faults.forget(key)
                    return AtOnce()
            except ApiError as refused:
                return outcome_of(refused)
            except Exception:
                logger.exception("%s %s/%s can't be given up", *key)
        return outcome if times == 1 else replace(outcome, error=None)  # the log has it once
