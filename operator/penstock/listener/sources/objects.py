"""What the drivers of object stores share: which objects are new, and what becomes of them.

One execution is started for the objects that are new, oldest first, at most `maxFiles`. Each comes
with its file. It is moved or deleted once the execution is stored; a listener that dies between the
two finds the objects again, and, where they are the same, the execution too.

A trigger remembers the newest objects that it has seen. Of an object that is older than all of
these it takes it that it has seen it: so the memory is bounded, whatever a bucket holds.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Protocol

from penstock.listener.source import Event, EventFile, Polled, Way
from penstock.triggers.brokers.properties import wait_of
from penstock.triggers.buckets.objects import ObjectsTrigger

MOST_REMEMBERED = 1_500
_KEY_BYTES, _VERSION_BYTES = 8, 6
_NAMES = 200


@dataclass(frozen=True)
class Found:
    """An object that a store has."""

    key: str
    version: str
    """Tells its content from the one before, such as an ETag."""
    modified: datetime
    fields: Mapping[str, Any]
    """What flows see of it, but for `uri` and `changeType`."""


class Bucket(Protocol):
    """An open connection to where the objects are. Everything raises ``SourceError``."""

    def objects(self) -> AsyncIterator[Found]:
        """Give the objects that the trigger's properties mean."""
        ...

    async def fetch(self, found: Found, file: BinaryIO) -> None:
        """Write the content of an object."""
        ...

    async def dispose(self, found: Found) -> None:
        """Do with an object what the trigger's `action` says."""
        ...


@dataclass
class Memory:
    """The objects that were seen: of each, hashes of key and version, and when it was changed."""

    seen: dict[bytes, tuple[bytes, float]] = field(default_factory=dict)
    since: float = 0.0
    """An object that was changed before counts as seen."""

    @classmethod
    def read(cls, cursor: Any) -> Memory:
        """Read what a cursor has; nothing where it is none."""
        memory = cls()
        try:
            memory.since = float(cursor["since"])
            for text, modified in cursor["seen"]:
                both = base64.b64decode(text)
                memory.seen[both[:_KEY_BYTES]] = both[_KEY_BYTES:], float(modified)
        except (TypeError, ValueError, KeyError):
            return cls()
        return memory

    def cursor(self) -> Any:
        """Give it as JSON: the newest ones."""
        newest = sorted(self.seen.items(), key=lambda item: item[1][1], reverse=True)
        kept = newest[:MOST_REMEMBERED]
        since = kept[-1][1][1] if len(newest) > MOST_REMEMBERED else self.since
        rows = [
            [base64.b64encode(key + version).decode(), int(modified)]
            for key, (version, modified) in kept
        ]
        return {"since": int(since), "seen": rows}

    def change(self, found: Found) -> str | None:
        """Tell what is new about an object: CREATE or UPDATE; None where it was seen."""
        known = self.seen.get(_hashed(found.key, _KEY_BYTES))
        if known is not None:
            return None if known[0] == _hashed(found.version, _VERSION_BYTES) else "UPDATE"
        return "CREATE" if found.modified.timestamp() >= self.since else None

    def add(self, found: Found) -> None:
        version = _hashed(found.version, _VERSION_BYTES)
        self.seen[_hashed(found.key, _KEY_BYTES)] = version, found.modified.timestamp()

    def forget(self, before: float) -> None:
        """Forget what was changed before a time: it fires again where it is still there."""
        self.seen = {key: known for key, known in self.seen.items() if known[1] >= before}


@dataclass(frozen=True)
class ObjectsDelivery:
    """Objects that one execution is started for."""

    bucket: Bucket
    objects: Sequence[Found]
    events: Sequence[Event]
    connection: AsyncExitStack

    async def acknowledge(self) -> None:
        async with self.connection:
            for found in self.objects:
                await self.bucket.dispose(found)

    async def give_back(self) -> None:
        await self.connection.aclose()


async def poll_bucket(
    opening: Any, properties: ObjectsTrigger, cursor: Any, named: str = "objects"
) -> Polled:
    """Look once. ``opening`` opens the bucket; ``named`` is how flows name the list of objects."""
    memory = Memory.read(cursor)
    if properties.state_ttl is not None:
        ttl = wait_of(properties.state_ttl, timedelta.max)
        memory.forget(time.time() - ttl.total_seconds())
    async with AsyncExitStack() as opened:
        bucket: Bucket = await opened.enter_async_context(opening)
        new: list[tuple[Found, str]] = []
        async for found in bucket.objects():
            change = memory.change(found)
            if change is None:
                continue
            if properties.on in ("CREATE_OR_UPDATE", change):
                new.append((found, change))
            else:
                memory.add(found)
        new.sort(key=lambda item: (item[0].modified, item[0].key))
        taken = new[: _most(properties)]
        for found, _ in taken:
            memory.add(found)
        if not taken:
            return Polled((), memory.cursor())
        event = _event(bucket, taken, named)
        objects = [found for found, _ in taken]
        delivery = ObjectsDelivery(bucket, objects, (event,), opened.pop_all())
        return Polled((delivery,), memory.cursor())


def _most(properties: ObjectsTrigger) -> int:
    return int(properties.max_files)


def _event(bucket: Bucket, taken: Sequence[tuple[Found, str]], named: str) -> Event:
    """The event of some objects. Its key is made of theirs, and of their versions."""
    told = "\n".join(f"{found.key}\0{found.version}" for found, _ in taken)
    digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    rows = [{**found.fields, "changeType": change} for found, change in taken]
    files: dict[Way, EventFile] = {
        (named, number, "uri"): EventFile(_name(found.key), _fetching(bucket, found))
        for number, (found, _) in enumerate(taken)
        if not found.key.endswith("/")
    }
    return Event(f"{len(taken)}:{digest}", {named: rows}, files)


def _fetching(bucket: Bucket, found: Found) -> Callable[[BinaryIO], Awaitable[None]]:
    async def fetch(file: BinaryIO) -> None:
        await bucket.fetch(found, file)

    return fetch


def _name(key: str) -> str:
    """A file's name for an object: the last part of its key."""
    last = key.rstrip("/").rpartition("/")[2]
    plain = "".join("_" if ord(each) < 32 or each in "\\\x7f" else each for each in last)
    return plain[-_NAMES:].lstrip(".") or "object"


def _hashed(text: str, size: int) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:size]
