"""Passes over the objects at which the controller has died twice in a row.

So an object that ends the process, in a way that nobody knew of, stops itself and nobody else. It
is tried again when its spec has changed, or the annotation `penstock.dev/lift-quarantine`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from penstock.controller.runtime.bench import DEATHS, Bench, Sitting
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.outcomes import Stalled
from penstock.controller.runtime.queue import Key
from penstock.controller.runtime.waits import Told
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.labels import LIFT_QUARANTINE

ALONE_AFTER = 10.0
"""Seconds for which a suspect waits for another one at most."""


class Quarantine:
    """Knows which objects are not reconciled, and notes those that are."""

    def __init__(self, bench: Bench | None, kinds: Mapping[str, Told], metrics: Metrics) -> None:
        """``bench`` notes what is worked on; where it is None nothing is noted, and nothing
        quarantined."""
        self._bench = bench
        self._kinds = kinds
        self._metrics = metrics
        self._one_suspect = asyncio.Lock()
        for told in kinds.values():
            told.objects.on_removed(self._gone)
        self._tell_metrics()

    def refuses(self, key: Key) -> Stalled | None:
        """Tell why an object is passed over; None where it is not. One that was changed is
        released."""
        body = self._kinds[key.kind].objects.get(key.namespace, key.name)
        if self._bench is None or body is None:
            return None
        held = self._bench.quarantined.get(body["metadata"]["uid"])
        if held is None:
            return None
        if held.mark != mark_of(body):
            self._release(held.uid)
            return None
        message = (
            f"the controller died {DEATHS} times in a row while it reconciled this {key.kind}, "
            "which is passed over until its spec changes, or the annotation "
            f"`{LIFT_QUARANTINE}`; please report it"
        )
        return Stalled("Quarantined", message)

    @asynccontextmanager
    async def noted(self, key: Key) -> AsyncIterator[None]:
        """Note an object for as long as it is reconciled. Of suspects one comes after the other, so
        that it is known at which of them the controller dies again."""
        body = self._kinds[key.kind].objects.get(key.namespace, key.name)
        if self._bench is None or body is None:
            yield
            return
        uid = body["metadata"]["uid"]
        who = Sitting(key.kind, key.namespace, key.name, uid, mark_of(body))
        alone = self._bench.is_suspect(uid) and await self._is_alone()
        try:
            with self._bench.sitting(who):
                yield
        finally:
            if alone:
                self._one_suspect.release()

    async def _is_alone(self) -> bool:
        """Wait until no other suspect is reconciled, for a while."""
        try:
            async with asyncio.timeout(ALONE_AFTER):
                return await self._one_suspect.acquire()
        except TimeoutError:
            return False

    def _gone(self, body: Object) -> None:
        self._release(body["metadata"].get("uid", ""))

    def _release(self, uid: str) -> None:
        if self._bench is not None and uid in self._bench.quarantined:
            self._bench.release(uid)
            self._tell_metrics()

    def _tell_metrics(self) -> None:
        held = self._bench.quarantined.values() if self._bench is not None else ()
        counts = Counter(item.kind for item in held)
        self._metrics.quarantined({kind: counts[kind] for kind in self._kinds})


def mark_of(body: Object) -> str:
    """What changes where an object may be tried again: its spec, or the annotation."""
    meta = body["metadata"]
    lifted = str((meta.get("annotations") or {}).get(LIFT_QUARANTINE, ""))
    return f"{meta.get('generation', 0)} {hashlib.sha256(lifted.encode()).hexdigest()[:16]}"
