"""The Flows that have webhooks, as the API server tells of them: all names, and some contents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from penstock.expressions import Expressions
from penstock.gateway.limits import Limits
from penstock.gateway.listeners import (
    Acceptance,
    Listener,
    acceptance_of,
    has_triggers,
    listener_of,
    reduced,
    version_of,
)
from penstock.gateway.source_flows import SourceFlows
from penstock.kubernetes.api.client import FLOWS, Api, ApiError, Object
from penstock.kubernetes.api.watches import Follower
from penstock.triggers.evaluation import FlowName

_KEPT_BYTES = 8 * 1024 * 1024
"""Bytes of Flows that are kept, as JSON: of what webhooks need. What has no room is read when it is
called."""
_PATIENCE = 5.0
"""Seconds for which a call waits until the controller has accepted a Flow that was just changed."""

Place = tuple[str, str]
"""The Kubernetes namespace and the name of a Flow."""


class NotAccepted(Exception):
    """The controller has not yet looked at a Flow as it stands."""


@dataclass(frozen=True)
class _Known:
    flow: FlowName
    version: str
    acceptance: Acceptance


@dataclass
class _Kept:
    """What webhooks need of a Flow."""

    version: str
    body: Object
    size: int
    listener: Listener | None = None
    """Made when somebody calls."""


class WebhookFlows:
    """Finds the flow that an address names, without a call where it is kept."""

    def __init__(
        self,
        api: Api,
        limits: Limits,
        namespaces: Sequence[str] = (),
        beside: SourceFlows | None = None,
    ) -> None:
        """``namespaces`` are those that are served; all where none is named. What is seen is told
        to ``beside`` too, so that Flows are watched once."""
        self._api = api
        self._limits = limits
        self._beside = beside
        self.language = Expressions()
        self._known: dict[Place, _Known] = {}
        self._places: dict[FlowName, set[Place]] = {}
        self._kept: LRUCache[Place, _Kept] = LRUCache(_KEPT_BYTES, lambda kept: kept.size)
        self._changed = asyncio.Event()
        served: Sequence[str | None] = namespaces or [None]
        self._followers = [
            Follower(api, FLOWS, namespace, self._followed, self._left) for namespace in served
        ]

    async def run(self) -> None:
        """Follow the Flows until cancelled."""
        await asyncio.gather(*(follower.run() for follower in self._followers))

    @property
    def is_listed(self) -> bool:
        """Whether all that was there at the start is known."""
        return all(follower.listed.is_set() for follower in self._followers)

    def places(self, flow: FlowName, namespace: str | None = None) -> list[Place]:
        """Where a flow is: in that Kubernetes namespace, or in all."""
        found = self._places.get(flow, ())
        return sorted(place for place in found if namespace in (None, place[0]))

    async def settled(self, place: Place) -> None:
        """Wait until the controller has looked at a Flow. Raises :class:`NotAccepted`."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while self.is_pending(place):
                    await self._changed.wait()
        except TimeoutError:
            raise NotAccepted from None

    def is_pending(self, place: Place) -> bool:
        """Whether the controller has still to look at a Flow as it stands."""
        known = self._known.get(place)
        return known is not None and known.acceptance is Acceptance.PENDING

    async def listener(self, place: Place) -> Listener | None:
        """The listener of a Flow; None where there is none, or the controller has not accepted it.

        Raises :class:`ApiError`, and :class:`~penstock.gateway.limits.TooMany` where the
        expressions of its namespace took too much lately: a Flow that is changed all the time has
        its keys rendered each time.
        """
        known = self._known.get(place)
        if known is None or known.acceptance is not Acceptance.ACCEPTED:
            return None
        kept = self._kept.get(place)
        if kept is None or kept.version != known.version:
            body = await self._read(place)
            if body is None or acceptance_of(body) is not Acceptance.ACCEPTED:
                return None  # it has changed since, and the watch tells of it soon
            kept = self._keep(place, body)
        if kept.listener is None:
            self._limits.check_cpu(place[0])
            with self._limits.computing(place[0]):
                kept.listener = listener_of(kept.body, self.language)
        return kept.listener

    def _followed(self, body: Object) -> None:
        if self._beside is not None:
            self._beside.seen(body)
        self.seen(body)

    def _left(self, namespace: str, name: str) -> None:
        if self._beside is not None:
            self._beside.removed(namespace, name)
        self.removed(namespace, name)

    def seen(self, body: Object) -> None:
        """Take in a Flow as it is."""
        place = _place(body)
        if not has_triggers(body):
            return self.removed(*place)
        spec = body["spec"]
        flow = FlowName(str(spec.get("namespace")), str(spec.get("id")))
        before = self._known.get(place)
        if before is not None and before.flow != flow:
            self._unplace(place, before.flow)
        acceptance = acceptance_of(body)
        self._known[place] = _Known(flow, version_of(body), acceptance)
        self._places.setdefault(flow, set()).add(place)
        if acceptance is Acceptance.ACCEPTED:
            self._keep(place, body)
        self._tell()

    def removed(self, namespace: str, name: str) -> None:
        """Take in that a Flow is gone, or has no webhooks any more."""
        place = namespace, name
        before = self._known.pop(place, None)
        self._kept.pop(place, None)
        if before is not None:
            self._unplace(place, before.flow)
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _keep(self, place: Place, body: Object) -> _Kept:
        version = version_of(body)
        kept = self._kept.get(place)
        if kept is None or kept.version != version:
            small = reduced(body)
            kept = _Kept(version, small, len(json.dumps(small)))
            if kept.size <= _KEPT_BYTES:
                self._kept[place] = kept
        return kept

    async def _read(self, place: Place) -> Object | None:
        try:
            return await self._api.get(FLOWS, *place)
        except ApiError as error:
            if error.is_gone:
                return None
            raise

    def _unplace(self, place: Place, flow: FlowName) -> None:
        places = self._places.get(flow, set())
        places.discard(place)
        if not places:
            self._places.pop(flow, None)


def _place(body: Object) -> Place:
    return str(body["metadata"].get("namespace", "")), str(body["metadata"]["name"])
