"""What the drivers share that look for new objects: each provides a store, and is polled.

A poll lists what is there, compares it with what the trigger remembers, and delivers what is new as
one event, whose files are the bytes of the objects. The objects are moved or deleted once the
Execution of that event is stored, never before; where the trigger's conditions pass the event over,
or no Execution can be made of it, they stay as they are.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Protocol

from penstock.flow.constraints import compiled
from penstock.listener.gateway import Refused
from penstock.listener.source import (
    Event,
    EventFile,
    NotNow,
    PollDriver,
    Polled,
    SourceError,
    Surroundings,
    Way,
)
from penstock.listener.sources.seen import MOST_SEEN, Batch, Found, Memory, batch_of
from penstock.storage.arrivals import MOST_BYTES
from penstock.triggers.objects.properties import ObjectTrigger

MOST_OF_BATCH = 500
"""How many objects become one Execution, whatever a trigger says."""
_ODD = re.compile(r"[^\w.@+= -]")
_LONGEST_NAME = 100
_ROOM_FOR_URI = 300
"""Characters that the address of an object in the internal storage has at most."""
_MOST_VARIABLES = 256 * 1024
"""Bytes of what expressions see, as JSON: they are stored in the Execution."""
_MATCHING = 2.0
"""Seconds in which a pattern must have been compared with a page of names."""


class Store(Protocol):
    """An open connection to where objects are. Everything raises :class:`SourceError`."""

    def pages(self) -> AsyncIterator[Sequence[Found]]:
        """What is there, as far as the trigger looks: some at a time."""
        ...

    def read(self, found: Found) -> AsyncIterator[bytes]:
        """The bytes of an object."""
        ...

    async def move(self, found: Found) -> None:
        """Move it to where the trigger says. One that is gone, or is another one now, is left."""
        ...

    async def delete(self, found: Found) -> None:
        """Delete it. One that is gone, or is another one now, is left."""
        ...


Opening = Callable[[Any], AbstractAsyncContextManager[Store]]
"""Opens the store of rendered properties. Raises :class:`SourceError`."""


@dataclass(frozen=True)
class Listing:
    """What was found."""

    objects: Sequence[Found]
    is_whole: bool = True
    """Whether that is all that is there."""


@dataclass(frozen=True)
class Choice:
    """What of a listing becomes an Execution."""

    taken: Sequence[tuple[Found, str]]
    """The objects, each with `CREATE` or `UPDATE`."""
    key: str
    under_way: Memory
    """What to remember before it is handed over."""
    after: Memory
    """What to remember then."""


@dataclass(frozen=True)
class ObjectsDelivery:
    """Objects that became one event."""

    store: Store
    taken: Sequence[Found]
    action: str
    events: Sequence[Event]
    connection: AsyncExitStack = field(default_factory=AsyncExitStack)
    """What to close once the delivery is dealt with."""

    async def acknowledge(self) -> None:
        async with self.connection:
            for found in self.taken:
                if self.action == "MOVE":
                    await self.store.move(found)
                elif self.action == "DELETE":
                    await self.store.delete(found)

    async def give_back(self) -> None:
        await self.connection.aclose()

    async def reject(self) -> None:
        """Leave the objects where they are; they are remembered, and come no more."""
        await self.connection.aclose()

    async def pass_over(self) -> None:
        """Leave them for another time."""
        await self.connection.aclose()
        raise NotNow


def poll_of(opening: Opening, listed_as: str, uri_as: str = "uri") -> PollDriver:
    """The driver of a trigger that looks for objects.

    The connection stays open until the objects are dealt with.
    """

    async def poll(properties: Any, cursor: Any, surroundings: Surroundings) -> Polled:
        memory = Memory.of(cursor)
        async with AsyncExitStack() as opened:
            store = await opened.enter_async_context(opening(properties))
            listing = await _listed(store, properties, memory)
            choice = choose(listing, memory, properties.on, properties.most)
            if not choice.taken:
                return Polled((), choice.after.cursor())
            delivery = ObjectsDelivery(
                store,
                [found for found, _ in choice.taken],
                str(properties.action),
                (_event_of(store, choice, listed_as, uri_as),),
                opened.pop_all(),
            )
            return Polled((delivery,), choice.after.cursor(), choice.under_way.cursor())

    return poll


def choose(listing: Listing, memory: Memory, on: str, most: int) -> Choice:
    """Choose what becomes an Execution: first what was under way when it was last handed over,
    else the oldest of what is new."""
    changes = [(found, change) for found in listing.objects if (change := memory.change_of(found))]
    firing = [(found, change) for found, change in changes if on in (change, "CREATE_OR_UPDATE")]
    before = memory.batch
    taken = [item for item in firing if before is not None and item[0].mark in before.marks]
    if before is not None and taken:
        batch = before
    else:
        ordered = sorted(firing, key=lambda item: (item[0].modified, item[0].name))
        taken = _of_size(ordered[: min(most, MOST_OF_BATCH)])
        batch = batch_of([found for found, _ in taken]) if taken else Batch("", frozenset())
    waiting = {found.name for found, _ in firing} - {found.name for found, _ in taken}
    after = memory.with_seen(listing.objects, waiting, is_whole=listing.is_whole)
    return Choice(taken, batch.key, memory.with_batch(batch), after)


def _of_size(items: Sequence[tuple[Found, str]]) -> list[tuple[Found, str]]:
    """Take as many objects as an Execution has room for, one at least. One that can't be copied is
    by itself, so that it keeps no other from being dealt with."""
    taken: list[tuple[Found, str]] = []
    size = 0
    for item in items:
        size += len(json.dumps(item[0].variables)) + _ROOM_FOR_URI
        if taken and (size > _MOST_VARIABLES or item[0].size > MOST_BYTES):
            break
        if taken and taken[0][0].size > MOST_BYTES:
            break
        taken.append(item)
    return taken


async def _listed(store: Store, properties: ObjectTrigger, memory: Memory) -> Listing:
    """List what the trigger looks at. Raises :class:`SourceError` where it is more than can be
    remembered."""
    kept: list[Found] = []
    new = 0
    async for page in store.pages():
        matching = await _matching(page, properties.pattern)
        kept += matching
        new += sum(memory.change_of(found) is not None for found in matching)
        if len(kept) <= MOST_SEEN:
            continue
        if properties.action == "NONE":  # type: ignore[attr-defined]
            raise SourceError(
                f"more than {MOST_SEEN} objects are there, and a trigger with `action: NONE` can't "
                "remember more. Let it move or delete them, or look at fewer of them"
            )
        if new >= MOST_OF_BATCH:
            return Listing(kept, is_whole=False)
    return Listing(kept)


async def _matching(page: Sequence[Found], pattern: str | None) -> Sequence[Found]:
    if pattern is None:
        return page
    try:
        expression = compiled(pattern)
    except ValueError as error:
        raise SourceError(str(error)) from None
    until = time.monotonic() + _MATCHING

    def matching() -> list[Found]:
        return [
            found
            for found in page
            if expression.fullmatch(
                found.matched or found.name,
                timeout=max(until - time.monotonic(), 0.001),
                concurrent=True,
            )
        ]

    try:
        return await asyncio.to_thread(matching)
    except TimeoutError:
        raise SourceError(f"the pattern `{pattern[:100]}` takes too long") from None


def _event_of(store: Store, choice: Choice, listed_as: str, uri_as: str) -> Event:
    """The one event of what was chosen, with the bytes of each object as a file."""
    rows = [{**found.variables, "changeType": change} for found, change in choice.taken]
    files: dict[Way, EventFile] = {
        (listed_as, at, uri_as): EventFile(_file_name(found), partial(_copy, store, found))
        for at, (found, _) in enumerate(choice.taken)
    }
    return Event(choice.key, {listed_as: rows}, files)


async def _copy(store: Store, found: Found, target: BinaryIO) -> None:
    """Copy an object. Raises :class:`Refused` where it is too large for the internal storage."""
    if found.size > MOST_BYTES:
        raise Refused(f"{found.name} is larger than {MOST_BYTES // 1024**2} MiB")
    async for chunk in store.read(found):
        await asyncio.to_thread(target.write, chunk)


def _file_name(found: Found) -> str:
    """The last part of an object's name, as the internal storage can have it."""
    name = _ODD.sub("_", found.name.rstrip("/").rpartition("/")[2])[-_LONGEST_NAME:]
    return name if name.strip("._ ") else "object"
