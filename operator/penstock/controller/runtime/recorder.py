"""Kubernetes Events: what happened and why, for `kubectl describe`.

They are written behind the hot path, in order, and dropped rather than waited for: an Event is a
help for people, never the record (that is the status).
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from uuid import uuid4

from penstock.controller.runtime.indexes import reference
from penstock.engine.interface.actions import Report
from penstock.kubernetes.api.client import EVENTS, Api, ApiError, Object

logger = logging.getLogger(__name__)

_MAX_WAITING = 1_000
_MAX_NOTE = 1_000
"""The API server takes 1024 bytes of note."""


class Recorder:
    """Writes Events in the background."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._waiting: asyncio.Queue[Object] = asyncio.Queue(_MAX_WAITING)

    def record(self, about: Object, report: Report, action: str = "Reconcile") -> None:
        try:
            self._waiting.put_nowait(_event(about, report, action))
        except asyncio.QueueFull:
            logger.warning("an event about %s was dropped", about["metadata"]["name"])

    async def run(self) -> None:
        while True:
            event = await self._waiting.get()
            try:
                await self._api.create(EVENTS, event["metadata"]["namespace"], event)
            except ApiError as error:
                logger.info("an event could not be written: %s", error)


def _event(about: Object, report: Report, action: str) -> Object:
    meta = about["metadata"]
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    note = report.message.encode()[:_MAX_NOTE].decode("utf-8", "ignore")
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name'][:200]}.{uuid4().hex[:16]}",
            "namespace": meta["namespace"],
        },
        "eventTime": now,
        "reportingController": "penstock.dev/controller",
        "reportingInstance": "penstock",
        "action": action,
        "reason": report.reason,
        "note": note,
        "type": "Warning" if report.warning else "Normal",
        "regarding": reference(about),
    }
