"""Concurrency: which executions of a flow may run, and which comes next.

Places are given one decision at a time for each flow: whoever decides sees what was decided before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from weakref import WeakValueDictionary

from penstock.controller.flows.revisions import Revisions
from penstock.controller.runtime.indexes import ObjectStore, state_of
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.turn import ALONE, Turn
from penstock.expressions import NotLoaded
from penstock.flow.document import Concurrency
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import PinnedFlow, State

_FlowKey = tuple[str, str]


class ConcurrencyLimits:
    """Gives the executions of a flow their turns."""

    def __init__(self, executions: ObjectStore, flows: ObjectStore, revisions: Revisions) -> None:
        self._executions = executions
        self._flows = flows
        self._revisions = revisions
        self._locks: WeakValueDictionary[_FlowKey, asyncio.Lock] = WeakValueDictionary()
        self._unsure: dict[_FlowKey, set[str]] = {}
        """Executions of which it is not known whether what was decided was written, by name."""

    @asynccontextmanager
    async def decided(self, body: Object, flow: PinnedFlow, engine: Engine) -> AsyncIterator[Turn]:
        """The turn of an execution. Its decision must be stored before this is left."""
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        key = (namespace, str(flow.name))
        lock = self._locks.setdefault(key, asyncio.Lock())
        concurrency = await self._concurrency(key, engine)
        if concurrency is None:
            yield ALONE
            return
        async with lock:
            unsure = self._unsure.setdefault(key, set())
            unsure.add(name)
            try:
                yield self._turn(body, key, concurrency)
            except NotLoaded:  # nothing was decided, so nothing was written
                unsure.discard(name)
                raise
            unsure.discard(name)
            if not unsure:
                self._unsure.pop(key, None)

    def next_in_line(self, namespace: str, flow: str) -> Object | None:
        """The execution that waits longest for its turn."""
        queued = [
            body
            for body in self._executions.find((namespace, flow))
            if state_of(body) is State.QUEUED
        ]
        return min(queued, key=_queue_key, default=None)

    async def _concurrency(self, key: _FlowKey, engine: Engine) -> Concurrency | None:
        """As the newest revision has it; of a flow that is gone, as the execution's own has it."""
        body = self._flows.get(*key)
        if body is not None:
            accepted = await self._revisions.accept(body)
            if accepted.flow is not None:
                return accepted.flow.concurrency
        return engine.flow.concurrency

    def _turn(self, body: Object, key: _FlowKey, concurrency: Concurrency) -> Turn:
        unsure = self._unsure.get(key, set())
        others = {other["metadata"]["name"]: other for other in self._executions.find(key)}
        for name in unsure:
            if (other := self._executions.get(key[0], name)) is not None:
                others[name] = other
        others.pop(body["metadata"]["name"], None)
        waits = state_of(body) is State.QUEUED
        holders = ahead = 0
        for name, other in others.items():
            state = state_of(other)
            if state is not None and state.terminated:
                continue
            if name in unsure or state not in (None, State.CREATED, State.QUEUED):
                holders += 1
            elif state is State.QUEUED:
                ahead += not waits or _queue_key(other) < _queue_key(body)
        return Turn(concurrency, holders, ahead)


def _queue_key(body: Object) -> tuple[datetime, str]:
    """Since when it is queued."""
    history = (body.get("status") or {}).get("history") or []
    since = history[-1]["date"] if history else body["metadata"]["creationTimestamp"]
    return datetime.fromisoformat(since), body["metadata"]["name"]
