"""Git push hooks: somebody says that a repository has news, and its GitSource looks at once.

Whoever says so proves nothing and is told nothing, so it may do little: a GitSource is marked once
in ten seconds, and asks its remote which commit is there, as it does by itself from time to time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

from aiohttp import web
from cachetools import LRUCache, TTLCache

from penstock.gateway.limits import Rates
from penstock.kubernetes.api.client import GIT_SOURCES, Api, ApiError
from penstock.resources.gitsource import PUSH_ANNOTATION
from penstock.resources.names import is_subdomain

PAUSE = 10.0
"""Seconds after a mark for which a GitSource is not marked again."""
_GUESSES, _GUESSES_AT_ONCE = 5.0, 50.0
"""Names a second that may be tried of which it is not known that there is a GitSource."""
_REMEMBERED = 10_000

logger = logging.getLogger(__name__)


class Pushes:
    """Marks GitSources."""

    def __init__(self, api: Api, clock: Callable[[], float] = monotonic) -> None:
        self._api = api
        self._marked: TTLCache[tuple[str, str], None] = TTLCache(_REMEMBERED, PAUSE, clock)
        self._known: LRUCache[tuple[str, str], None] = LRUCache(_REMEMBERED)
        self._guesses = Rates(_GUESSES, _GUESSES_AT_ONCE, clock)
        self._work: set[asyncio.Task[None]] = set()

    async def push(self, request: web.Request) -> web.Response:
        """`POST /api/v1/gitsources/{namespace}/{name}/push`: always 202."""
        place = request.match_info["namespace"], request.match_info["name"]
        if self._is_wanted(place):
            self._marked[place] = None
            task = asyncio.create_task(self._mark(place))  # how long it takes tells nothing
            self._work.add(task)
            task.add_done_callback(self._work.discard)
        return web.Response(status=202)

    def _is_wanted(self, place: tuple[str, str]) -> bool:
        if place in self._marked or not all(is_subdomain(part) for part in place):
            return False
        if place not in self._known:
            if self._guesses.missing_seconds("") > 0:
                return False
            self._guesses.take("")
        return True

    async def _mark(self, place: tuple[str, str]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        patch = {"metadata": {"annotations": {PUSH_ANNOTATION: now}}}
        try:
            await self._api.patch(GIT_SOURCES, *place, patch)
        except ApiError as error:
            self._known.pop(place, None)
            if not error.not_found:
                logger.warning("the GitSource %s/%s can't be marked: %s", *place, error)
        else:
            self._known[place] = None
