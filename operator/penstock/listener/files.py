"""Puts the files of an event into the internal storage, before the event is handed over.

A file lies with the Execution that the event will start. One that is put twice, as the event comes
again, lies there twice: nothing names the first, and both go with the Execution.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from typing import Any, BinaryIO, Protocol, cast

from penstock.listener.gateway import Assigned, Place
from penstock.listener.source import Event, EventFile, Way

_IN_MEMORY = 1024 * 1024
_BLOCK = 256 * 1024


class StorageDoor(Protocol):
    """What lets files into the internal storage: a :class:`~penstock.listener.gateway.Gateway`."""

    async def place(
        self, assigned: Assigned, key: str, name: str, size: int, digest: str
    ) -> Place: ...

    async def put(self, place: Place, content: BinaryIO, size: int) -> None: ...


async def with_files(door: StorageDoor, assigned: Assigned, event: Event) -> Mapping[str, Any]:
    """Put the files of an event, one after the other, and give its variables with their URIs.
    Raises what the door raises, and ``SourceError`` where the source does not give a file."""
    variables = event.variables
    for way, file in event.files.items():
        variables = _set(variables, way, await _put(door, assigned, event.key, file))
    return variables


async def _put(door: StorageDoor, assigned: Assigned, key: str, file: EventFile) -> str:
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="penstock-event-") as spooled:
        content = cast("BinaryIO", spooled)
        if isinstance(file.content, bytes):
            content.write(file.content)
        else:
            await file.content(content)
        size = content.tell()
        content.seek(0)
        digest = hashlib.sha256()
        while block := content.read(_BLOCK):
            digest.update(block)
        place = await door.place(assigned, key, file.name, size, digest.hexdigest())
        content.seek(0)
        await door.put(place, content, size)
    return place.uri


def _set(value: Any, way: Way, uri: str) -> Any:
    """Give a value with a URI at the end of a way through its maps and lists."""
    if not way:
        return uri
    first, rest = way[0], way[1:]
    changed: Any = value.copy() if isinstance(value, list) else dict(value)
    changed[first] = _set(changed[first] if rest else None, rest, uri)
    return changed
