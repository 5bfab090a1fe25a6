"""Watches: what happens to the objects of a kind, as the API server tells it.

The controller's watches are kopf's. This is for processes that follow a kind or two and hold little
of it, and for those that wait for one object.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import quote

from penstock.kubernetes.api.client import Api, ApiError, Object, Resource
from penstock.kubernetes.api.json_reader import LEVELS_OF_EVENT, read_json

logger = logging.getLogger(__name__)

_WATCH_SECONDS = 300
"""How long one watch lasts; the next one goes on from where it ended."""
_SILENCE = 150.0
"""Seconds without a word after which a connection counts as dead: bookmarks come every minute."""
_MOST_BYTES = 16 * 1024 * 1024
"""Bytes of one event: more than any object may have."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
"""Seconds until what failed is tried again: doubled from the first, up to the longest."""


@dataclass(frozen=True)
class Change:
    """One piece of news about an object."""

    kind: str
    """`ADDED`, `MODIFIED`, `DELETED`, or `BOOKMARK`, of which only the version counts."""
    body: Object

    @property
    def version(self) -> str:
        """The moment up to which everything was told."""
        return str(self.body["metadata"].get("resourceVersion", ""))


async def watch(
    api: Api,
    resource: Resource,
    namespace: str | None,
    version: str,
    *,
    name: str | None = None,
    seconds: int = _WATCH_SECONDS,
) -> AsyncGenerator[Change, None]:
    """Tell what happens from a version on, to all objects or to the one of a name.

    Ends by itself after some time. Raises :class:`ApiError`; of status 410 where the API server has
    forgotten the version.
    """
    path = resource.prefix
    path += f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    query = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(seconds),
    }
    if name is not None:
        query["fieldSelector"] = f"metadata.name={name}"
    answer = api.stream(f"{path}/{resource.plural}", query, silence=_SILENCE)
    async with aclosing(answer) as pieces:
        async for line in _lines(pieces):
            yield _change(line)


async def _lines(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Part what comes into lines. Raises :class:`ApiError` where one is too long."""
    begun: list[bytes] = []
    size = 0
    async for piece in pieces:
        first, *others = piece.split(b"\n")
        begun.append(first)
        size += len(first)
        for other in others:
            if size:
                yield b"".join(begun)
            begun, size = [other], len(other)
        if size > _MOST_BYTES:
            raise ApiError(0, "TooLarge", "an event of a watch is too large")


def _change(line: bytes) -> Change:
    """Read one line. Raises :class:`ApiError` where it tells of an error."""
    event = read_json(line, LEVELS_OF_EVENT)
    kind, body = str(event.get("type")), event.get("object") or {}
    if kind == "ERROR":
        reason, message = str(body.get("reason") or ""), str(body.get("message") or "")
        raise ApiError(int(body.get("code") or 0), reason, message)
    return Change(kind, body)


class Follower:
    """Follows all objects of a kind: lists them, and watches from that moment on.

    ``seen`` is told of every object that is there or has changed, ``removed`` of every one that is
    gone, by its namespace and name. Both may be told something twice.
    """

    def __init__(
        self,
        api: Api,
        resource: Resource,
        namespace: str | None,
        seen: Callable[[Object], None],
        removed: Callable[[str, str], None],
    ) -> None:
        self._api = api
        self._resource = resource
        self._namespace = namespace
        self._seen = seen
        self._removed = removed
        self._present: set[tuple[str, str]] = set()
        self.listed = asyncio.Event()
        """Set once all that is there was told."""

    async def run(self) -> None:
        """Follow until cancelled, whatever the API server answers meanwhile."""
        version, failures = "", 0
        while True:
            try:
                if not version:
                    version = await self._list()
                    self.listed.set()
                async for change in watch(self._api, self._resource, self._namespace, version):
                    version, failures = change.version or version, 0
                    self._take(change)
                await asyncio.sleep(random.uniform(0.0, _FIRST_WAIT))
            except ApiError as error:
                if error.status == 410:
                    version = ""
                wait = min(_FIRST_WAIT * 2**failures, _LONGEST_WAIT) * random.uniform(0.8, 1.2)
                failures = min(failures + 1, 10)
                logger.warning(
                    "%s can't be followed, tried again in %.1f s: %s",
                    self._resource.plural,
                    wait,
                    error,
                )
                await asyncio.sleep(wait)

    async def _list(self) -> str:
        """Tell of all that is there, and of what is not there any more: the version of that."""
        version, present = "", set[tuple[str, str]]()
        async for page in self._api.pages(self._resource, self._namespace):
            if page.is_first:
                version, present = page.version, set()
            for body in page.items:
                present.add(_place(body))
                self._tell_of(body)
        for namespace, name in self._present - present:
            self._removed(namespace, name)
        self._present = present
        return version

    def _take(self, change: Change) -> None:
        if change.kind == "BOOKMARK":
            return
        place = _place(change.body)
        if change.kind == "DELETED":
            self._present.discard(place)
            self._removed(*place)
        else:
            self._present.add(place)
            self._tell_of(change.body)

    def _tell_of(self, body: Object) -> None:
        """Tell of an object. One that can't be read counts as gone: it must not hide the others."""
        try:
            self._seen(body)
        except Exception:
            logger.exception("%s %s can't be read", self._resource.plural, "/".join(_place(body)))
            self._removed(*_place(body))


def _place(body: Object) -> tuple[str, str]:
    return str(body["metadata"].get("namespace", "")), str(body["metadata"]["name"])
