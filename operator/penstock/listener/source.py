"""What a driver of a poll or stream trigger provides, and what it is given.

A driver is a function. A trigger type names it as text, such as
`penstock.listener.sources.redis:stream`, so that only the listener imports the library of a broker.

The driver of a :class:`~penstock.triggers.kinds.StreamTrigger` opens a connection::

    @asynccontextmanager
    async def stream(properties: Model, surroundings: Surroundings) -> AsyncIterator[Source]: ...

The driver of a :class:`~penstock.triggers.kinds.PollTrigger` asks once::

    async def poll(properties: Model, cursor: Any, surroundings: Surroundings) -> Polled: ...
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol, runtime_checkable


class SourceError(Exception):
    """A source refuses, or can't be reached. The text is for the flow's author: a credential that
    is not accepted, a topic that does not exist. The listener reports it, and opens the source
    again after a while."""


Way = tuple[str | int, ...]
"""A way through maps and lists, such as `("objects", 0, "uri")`."""


@dataclass(frozen=True)
class EventFile:
    """A file that comes with an event. The listener puts it into the internal storage before it
    hands the event over."""

    name: str
    content: bytes | Callable[[BinaryIO], Awaitable[None]]
    """The bytes of the file; or what writes them, once they are needed, and raises
    :class:`SourceError`."""


class NotNow(Exception):
    """Everything stays as it is: what was delivered is looked at anew with the next question, and
    the cursor is that of before."""


@dataclass(frozen=True)
class Event:
    """One thing that happened at a source: it becomes one Execution."""

    key: str
    """What the source itself calls it, such as topic, partition and offset, or the path and the
    version of an object. An event that comes again has the same key; it makes the name of the
    Execution."""
    variables: Mapping[str, Any]
    """What expressions see as `trigger.…`, in JSON's types."""
    files: Mapping[Way, EventFile] = field(default_factory=dict)
    """The files, by the place among the variables at which their URIs are to stand."""
    problem: str | None = None
    """Why it can't be read, in words that name it and don't show it: no Execution is made of it."""


class Delivery(Protocol):
    """One event, or several that are acknowledged together. The listener ends each by one call, and
    by one only: it is acknowledged, or given back, or rejected where it is :class:`Rejectable`."""

    @property
    def events(self) -> Sequence[Event]:
        """The events, in the order of the source."""
        ...

    async def acknowledge(self) -> None:
        """Tell the source that the Executions of all events are stored."""
        ...

    async def give_back(self) -> None:
        """Let the source deliver it again, to this listener or to another."""
        ...


@runtime_checkable
class Rejectable(Protocol):
    """A delivery that its source can put aside, such as into a dead letter queue."""

    async def reject(self) -> None:
        """Let the source put it aside: no Execution can be made of its one event."""
        ...


class Source(Protocol):
    """An open connection to a source."""

    def deliveries(self) -> AsyncIterator[Delivery]:
        """What the source delivers, as it comes. Raises :class:`SourceError`."""
        ...


@dataclass(frozen=True)
class Polled:
    """What came of asking a source once."""

    deliveries: Sequence[Delivery]
    cursor: Any = None
    """What to give to the next question, in JSON's types, once all deliveries are acknowledged."""
    under_way: Any = None
    """What to give to it where that does not come to pass; it is stored before the first delivery
    is handed over. None: the cursor that was given."""


@dataclass(frozen=True)
class Surroundings:
    """What is around a trigger."""

    name: str
    """Stable, and of no other trigger: a name for a consumer, or a group of them, where the
    properties give none."""
    logger: logging.Logger


StreamDriver = Callable[[Any, Surroundings], AbstractAsyncContextManager[Source]]
"""Opens the source of a stream trigger, whose rendered properties it is given."""
PollDriver = Callable[[Any, Any, Surroundings], Awaitable[Polled]]
"""Asks the source of a poll trigger once, with its rendered properties and the cursor."""
