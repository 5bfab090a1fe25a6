"""Puts the files of an event into the internal storage, before the event is handed over.

A file lies with the Execution that the event will start. One that is put again, as the event comes
again, lies there twice: nothing names the first, and both go with the Execution.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Protocol, cast

from penstock.listener.gateway import Assigned, Place
from penstock.listener.source import Event, EventFile, SourceError, Way
from penstock.storage.arrivals import EXPECTED, MOST_BYTES

SPOOLED_AT_ONCE = 2
"""Files that sources write at once, in a listener: each may have its largest size on the disk of
the pod, whose volume has room for so many."""
KEPT = EXPECTED / 4
"""How long a file counts as put for an event that waits: the storage drops it some time after."""
_IN_MEMORY = 1024 * 1024
_BLOCK = 256 * 1024


class StorageDoor(Protocol):
    """What lets files into the internal storage: a :class:`~penstock.listener.gateway.Gateway`."""

    async def place(
        self, assigned: Assigned, key: str, name: str, size: int, digest: str
    ) -> Place: ...

    async def put(self, place: Place, content: BinaryIO, size: int) -> None: ...


class Spool:
    """The disk on which files wait that sources write."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(SPOOLED_AT_ONCE)

    @asynccontextmanager
    async def written(self, file: EventFile) -> AsyncIterator[BinaryIO]:
        """Give the whole content of a file, to be read from its beginning. Raises
        :class:`SourceError` where the source does not give it, or gives too much."""
        if isinstance(file.content, bytes):
            yield BytesIO(file.content)
            return
        async with self._places:
            with _Spooled(file.name) as spooled:
                content = cast("BinaryIO", spooled)
                await file.content(content)
                content.seek(0)
                yield content


class _Spooled(SpooledTemporaryFile[bytes]):
    """A temporary file that takes no more than a file of a trigger may have."""

    def __init__(self, name: str) -> None:
        super().__init__(_IN_MEMORY, prefix="penstock-event-")
        self._of = name

    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > MOST_BYTES:
            raise SourceError(
                f"the file `{self._of}` has more than {MOST_BYTES // 1024**2} MiB, the most that a "
                "file of a trigger may have"
            )
        return super().write(data)


class EventFiles:
    """The files of one event, which is handed over again until the gateway takes it."""

    def __init__(self, door: StorageDoor, assigned: Assigned, event: Event, spool: Spool) -> None:
        self._door = door
        self._assigned = assigned
        self._event = event
        self._spool = spool
        self._uris: dict[Way, tuple[str, float]] = {}
        """The URIs of the files that were put, and until when these are kept for certain."""

    async def variables(self) -> Mapping[str, Any]:
        """Put the files that are not there yet, one after the other, and give the variables of the
        event with all URIs. Raises what the door raises, and :class:`SourceError` where the source
        does not give a file."""
        variables = self._event.variables
        for way, file in self._event.files.items():
            variables = _set(variables, way, await self._uri(way, file))
        return variables

    async def _uri(self, way: Way, file: EventFile) -> str:
        uri, until = self._uris.get(way, ("", 0.0))
        if time.monotonic() >= until:
            kept = time.monotonic() + KEPT / timedelta(seconds=1)
            uri = await self._put(file)
            self._uris[way] = uri, kept
        return uri

    async def _put(self, file: EventFile) -> str:
        async with self._spool.written(file) as content:
            size, digest = await asyncio.to_thread(_measured, content)
            key = self._event.key
            place = await self._door.place(self._assigned, key, file.name, size, digest)
            await self._door.put(place, content, size)
        return place.uri


def _measured(content: BinaryIO) -> tuple[int, str]:
    """The size and the SHA-256 of a file, which is at its beginning before and after."""
    size, digest = 0, hashlib.sha256()
    while block := content.read(_BLOCK):
        size += len(block)
        digest.update(block)
    content.seek(0)
    return size, digest.hexdigest()


def _set(value: Any, way: Way, uri: str) -> Any:
    """Give a value with a URI at the end of a way through its maps and lists."""
    if not way:
        return uri
    first, rest = way[0], way[1:]
    changed: Any = value.copy() if isinstance(value, list) else dict(value)
    changed[first] = _set(changed[first] if rest else None, rest, uri)
    return changed
