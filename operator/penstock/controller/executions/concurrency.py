"""Concurrency: which executions of a flow may run, and which comes next.

Places are given one decision at a time for each flow: whoever decides sees what was decided before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakValueDictionary

from penstock.controller.flows.revisions import Revisions
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore, state_of
from penstock.controller.workers.pool import Busy
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.turn import ALONE, Turn
from penstock.expressions import NotLoaded
from penstock.flow.document import Concurrency
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import PinnedFlow, State
from penstock.resources.stored import written_date

_FlowKey = tuple[str, str]


@dataclass(frozen=True)
class _Unsure:
    """Marks an execution of a flow of which it is not known whether what was decided was written:
    it may hold a place."""

    flow: _FlowKey


class ConcurrencyLimits:
    """Gives the executions of a flow their turns."""

    def __init__(
        self,
        executions: ObjectStore,
        flows: ObjectStore,
        revisions: Revisions,
        memories: ExecutionMemories,
    ) -> None:
        self._executions = executions
        self._flows = flows
        self._revisions = revisions
        self._memories = memories
        self._locks: WeakValueDictionary[_FlowKey, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(
        self, execution: Object, flow: PinnedFlow, engine: Engine
    ) -> AsyncIterator[Turn]:
        """Give an execution its turn. Its decision must be stored before this is left."""
        uid = execution["metadata"]["uid"]
        key = (execution["metadata"]["namespace"], str(flow.name))
        lock = self._locks.setdefault(key, asyncio.Lock())
        concurrency = await self._concurrency(key, engine)
        if concurrency is None:
            yield ALONE
            return
        async with lock:
            self._memories.mark(execution, _Unsure(key))
            try:
                yield self._turn(execution, key, concurrency)
            except (NotLoaded, Busy):  # nothing was decided, so nothing was written
                self._memories.unmark(uid, _Unsure(key))
                raise
            self._memories.unmark(uid, _Unsure(key))

    async def _concurrency(self, key: _FlowKey, engine: Engine) -> Concurrency | None:
        """Read the limit as the newest revision has it; of a flow that is gone, as the execution's
        own has it."""
        newest = self._flows.get(*key)
        if newest is not None:
            accepted = await self._revisions.accept(newest)
            if accepted.flow is not None:
                return accepted.flow.concurrency
        return engine.flow.concurrency

    def _turn(self, execution: Object, key: _FlowKey, concurrency: Concurrency) -> Turn:
        unsure = self._memories.marked(_Unsure(key))
        others = {other["metadata"]["uid"]: other for other in self._executions.find(key)}
        for uid, marked in unsure.items():
            other = self._executions.get(marked.namespace, marked.name)
            if other is not None:
                others[uid] = other
        others.pop(execution["metadata"]["uid"], None)
        waits = state_of(execution) is State.QUEUED
        holders = ahead = 0
        for uid, other in others.items():
            state = state_of(other)
            if state is not None and state.terminated:
                continue
            if uid in unsure or state not in (None, State.CREATED, State.QUEUED):
                holders += 1
            elif state is State.QUEUED:
                ahead += not waits or _queue_key(other) < _queue_key(execution)
        return Turn(concurrency, holders, ahead)


def next_in_line(executions: ObjectStore, namespace: str, flow: str) -> Object | None:
    """Find the execution of a flow that waits longest for its turn."""
    found = executions.find((namespace, flow))
    queued = [execution for execution in found if state_of(execution) is State.QUEUED]
    return min(queued, key=_queue_key, default=None)


def _queue_key(execution: Object) -> tuple[datetime, str]:
    """Tell since when an execution is queued; a name decides between two of one moment."""
    meta = execution["metadata"]
    history = (execution.get("status") or {}).get("history") or []
    since = written_date(history[-1]["date"]) if history else None
    return since or datetime.fromisoformat(meta["creationTimestamp"]), meta["name"]
