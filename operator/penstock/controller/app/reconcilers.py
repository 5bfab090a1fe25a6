"""The reconcilers by kind, and the queues whose workers call them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.outcomes import Outcome, after, outcome_of
from penstock.controller.runtime.queue import Key, KeyedQueue
from penstock.controller.runtime.waits import Waits
from penstock.kubernetes.api.client import Object

SOURCE_WORKERS = 1000
"""GitSources have workers of their own: remotes that hang must not hold up executions, nor each
other. They only wait: the Git service says whose turn it is."""

Reconcile = Callable[[str, str], Awaitable[float | None]]
"""Brings one object, by namespace and name, to where it should be. Returns the seconds after which
to look again, or None."""
Removed = Callable[[Object], None]
"""Takes in that an object is gone: what goes on for it is of no use any more."""


class Reconcilers:
    """Calls the reconciler of each object that is marked as changed."""

    def __init__(self, metrics: Metrics, waits: Waits, workers: int) -> None:
        self._metrics = metrics
        self._waits = waits
        self._reconcile_of: dict[str, Reconcile] = {}
        self._removed_of: dict[str, Removed] = {}
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

    def removed(self, kind: str, gone: Object) -> None:
        """Let the reconciler of a kind take in that an object is gone."""
        self._removed_of[kind](gone)

    async def _reconcile(self, key: Key) -> Outcome:
        started = time.monotonic()
        try:
            outcome = after(await self.of(key.kind)(key.namespace, key.name))
        except Exception as error:
            outcome = outcome_of(error)
        self._metrics.reconciled(key.kind, time.monotonic() - started)
        await self._waits.tell(key, outcome)
        return outcome
