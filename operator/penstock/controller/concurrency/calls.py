"""Calls: lets executions be reconciled whose turn has come, or whose sentence on what they wait for
is not true any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from cachetools import LRUCache

from penstock.controller.concurrency.slots import Offer, SlotLimits, Slots
from penstock.controller.concurrency.standing import FlowKey, Standing, standing_of
from penstock.controller.concurrency.waits import Wait
from penstock.controller.runtime.indexes import ObjectStore, state_of
from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import Object

OFFERED = 10.0
"""Seconds for which a slot is kept for an execution that was called. One that does not come lets
others pass: it is on its way out, or something is in its way."""
RENEWED = 10.0
"""Seconds until a sentence that is not true any more is renewed."""
AT_ONCE = 100
"""How many sentences are renewed together, of those that come first."""
_TOLD = 20_000
"""Executions of which it is known what they were told; others are told once more."""


class SlotCalls:
    """Keeps the slots up to what is seen of executions, and calls those whose turn has come."""

    def __init__(
        self, executions: ObjectStore, limits: SlotLimits, call: Callable[[Key], None]
    ) -> None:
        """``call`` lets an Execution be reconciled."""
        self.slots = Slots(limits)
        self._reconcile = call
        self._told: LRUCache[str, tuple[Wait, float]] = LRUCache(_TOLD)
        """What an execution was told, by its uid, and when, by the monotonic clock."""
        self._renewal: asyncio.TimerHandle | None = None
        executions.on_put(self._seen)
        executions.on_removed(self._gone)

    def call(self) -> None:
        """Let those be reconciled for whom there is a slot: it is kept for them from now on."""
        if not self.slots.anyone_waits:
            return
        for offer in self.slots.give():
            self._call(offer.standing)
            asyncio.get_running_loop().call_later(OFFERED, self._lapse, offer)

    def flow_changed(self, namespace: str, name: str) -> None:
        """Let the first one that waits of a flow look whether the limit of that is another now."""
        first = self.slots.first_of(FlowKey(namespace, name))
        if first is not None:
            self._call(first)

    def told(self, uid: str, wait: Wait) -> Wait:
        """Say what an execution that waits is told: for some seconds what it was told before."""
        now = time.monotonic()
        before = self._told.get(uid)
        if before is not None and now - before[1] < RENEWED:
            wait = before[0]
        else:
            self._told[uid] = wait, now
        self._renew_later()
        return wait

    def _seen(self, execution: Object) -> None:
        uid, state = execution["metadata"]["uid"], state_of(execution)
        if state is not None and state.terminated:
            news = self.slots.end(uid)
        else:
            news = self.slots.put(uid, standing_of(execution, state))
        if news:
            self.call()

    def _gone(self, execution: Object) -> None:
        self._told.pop(execution["metadata"]["uid"], None)
        if self.slots.end(execution["metadata"]["uid"], gone=True):
            self.call()

    def _lapse(self, offer: Offer) -> None:
        if self.slots.lapse(offer):
            self.call()

    def _renew_later(self) -> None:
        if self._renewal is None:
            loop = asyncio.get_running_loop()
            self._renewal = loop.call_later(RENEWED, self._renew)

    def _renew(self) -> None:
        """Let those be told anew whose sentence is not true any more."""
        self._renewal = None
        untrue = [
            standing
            for standing, wait in self.slots.waits()
            if standing.uid in self._told and self._told[standing.uid][0] != wait
        ]
        for standing in untrue[:AT_ONCE]:
            self._call(standing)
        if self.slots.anyone_waits:
            self._renew_later()

    def _call(self, standing: Standing) -> None:
        self._reconcile(Key("Execution", standing.flow.namespace, standing.name))
