"""What the drivers of brokers share: each provides a consumer, and is served as a stream or a poll.

A consumer takes messages one after the other, and acknowledges those that it is told to. A stream
hands each message over by itself; a poll gathers a batch, which becomes one Execution.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

from penstock.listener.source import (
    Event,
    EventFile,
    PollDriver,
    Polled,
    Source,
    SourceError,
    StreamDriver,
    Surroundings,
)
from penstock.tasks.contract.records import line_of
from penstock.triggers.brokers.properties import BatchTrigger, wait_of

H = TypeVar("H")
"""What a consumer needs to acknowledge a message."""

MAX_BATCH_BYTES = 16 * 1024 * 1024
"""How large the messages of a batch may be together, as JSON: they are gathered in memory."""
BATCH_NAME = "messages.ion"
"""The name of the file with the messages of a batch, one in a line."""
MAX_GATHERING = timedelta(minutes=1)
"""How long a batch is gathered, where the trigger does not say."""


@dataclass(frozen=True)
class Message(Generic[H]):
    """A message that was taken and is not acknowledged yet."""

    event: Event
    handle: H


class Consumer(Protocol[H]):
    """An open connection that takes messages."""

    async def next(self) -> Message[H]:
        """Wait for the next message. Raises :class:`SourceError`. Where the wait is cancelled, no
        message is lost."""
        ...

    async def acknowledge(self, messages: Sequence[Message[H]]) -> None:
        """Tell the broker that the Executions of these messages are stored."""
        ...

    async def give_back(self, messages: Sequence[Message[H]]) -> None:
        """Let these messages come again, under the same keys where the broker can tell them."""
        ...

    async def reject(self, message: Message[H]) -> None:
        """Put a message aside that no Execution can be made of: where the broker keeps such ones;
        elsewhere it is acknowledged."""
        ...


Opening = Callable[[Any, Surroundings], AbstractAsyncContextManager[Consumer[Any]]]
"""Opens a consumer for rendered properties. Raises :class:`SourceError`."""


@dataclass(frozen=True)
class ConsumerDelivery:
    """Messages of a consumer that are acknowledged together."""

    consumer: Consumer[Any]
    messages: Sequence[Message[Any]]
    events: Sequence[Event]
    connection: AsyncExitStack = field(default_factory=AsyncExitStack)
    """What to close once the delivery is dealt with."""

    async def acknowledge(self) -> None:
        async with self.connection:
            await self.consumer.acknowledge(self.messages)

    async def give_back(self) -> None:
        async with self.connection:
            await self.consumer.give_back(self.messages)

    async def reject(self) -> None:
        async with self.connection:
            for message in self.messages:
                await self.consumer.reject(message)


class ConsumerSource:
    """A source that delivers each message of a consumer by itself."""

    def __init__(self, consumer: Consumer[Any]) -> None:
        self._consumer = consumer

    async def deliveries(self) -> AsyncIterator[ConsumerDelivery]:
        while True:
            message = await self._consumer.next()
            yield ConsumerDelivery(self._consumer, (message,), (message.event,))


def stream_of(opening: Opening) -> StreamDriver:
    """The driver of a stream trigger whose messages a consumer takes."""

    @asynccontextmanager
    async def stream(properties: Any, surroundings: Surroundings) -> AsyncIterator[Source]:
        async with opening(properties, surroundings) as consumer:
            yield ConsumerSource(consumer)

    return stream


def poll_of(opening: Opening, counted_as: str = "messagesCount") -> PollDriver:
    """The driver of a poll trigger: it gathers messages of a consumer into one event.

    The connection stays open until the batch is acknowledged or given back.
    """

    async def poll(properties: Any, cursor: Any, surroundings: Surroundings) -> Polled:
        async with AsyncExitStack() as opened:
            consumer = await opened.enter_async_context(opening(properties, surroundings))
            messages = await gather(consumer, properties)
            if not messages:
                return Polled((), cursor)
            is_unreadable = messages[0].event.problem is not None
            event = messages[0].event if is_unreadable else batch_event(messages, counted_as)
            delivery = ConsumerDelivery(consumer, messages, (event,), opened.pop_all())
            return Polled((delivery,), cursor)

    return poll


async def gather(consumer: Consumer[H], properties: BatchTrigger) -> list[Message[H]]:
    """Take messages until there are enough, none comes for a while, or the time is over.

    A message that the deserializer can't read ends the batch before it, and comes alone with the
    next.
    """
    most = properties.max_records if isinstance(properties.max_records, int) else None
    until = time.monotonic() + wait_of(properties.max_duration, MAX_GATHERING).total_seconds()
    messages: list[Message[H]] = []
    keys: set[str] = set()
    size = 0
    while most is None or len(keys) < most:
        timeout = min(properties.idle.total_seconds(), until - time.monotonic())
        if timeout <= 0:
            break
        try:
            async with asyncio.timeout(timeout):
                message = await consumer.next()
        except TimeoutError:
            break
        except SourceError:
            if messages:
                break
            raise
        if message.event.problem is not None:
            if not messages:
                return [message]
            await consumer.give_back([message])
            break
        size += len(json.dumps(message.event.variables))
        if messages and size > MAX_BATCH_BYTES:
            await consumer.give_back([message])
            break
        messages.append(message)
        keys.add(message.event.key)
    return messages


def batch_event(messages: Sequence[Message[Any]], counted_as: str) -> Event:
    """The one event of a batch, with a file of its messages. Its key is made of theirs; one that
    came twice meanwhile is in it once."""
    events = {message.event.key: message.event for message in messages}
    first = next(iter(events))
    digest = hashlib.sha256("\n".join(sorted(events)).encode()).hexdigest()[:24]
    lines = b"".join(line_of(dict(event.variables)) for event in events.values())
    key, count = f"{first}+{len(events)}:{digest}", len(events)
    return Event(key, {counted_as: count}, {("uri",): EventFile(BATCH_NAME, lines)})
