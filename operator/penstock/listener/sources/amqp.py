"""Takes the messages of a queue over AMQP 0-9-1, as RabbitMQ speaks it.

The broker gives a message no name. Where its sender gave it a `messageId`, that and the content
are its key; where not, a message that comes again after a listener died has a new key.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from aiormq.exceptions import (
    AMQPError,
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ProbableAuthenticationError,
)

from penstock.listener.source import SourceError, Surroundings
from penstock.listener.sources.consumer import Message, poll_of, stream_of
from penstock.listener.sources.deserializing import deserialized, json_value, read_event
from penstock.triggers.brokers.amqp import AmqpBatch, AmqpRealtime

PREFETCH = 100
"""How many messages the broker pushes that are not acknowledged."""
CONNECT_SECONDS = 15.0


class AmqpConsumer:
    """Takes the messages that the broker pushes."""

    def __init__(self, properties: AmqpRealtime | AmqpBatch, where: str) -> None:
        self._properties = properties
        self._where = where
        self._pushed: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Called by the client with each message."""
        self._pushed.put_nowait(message)

    def closed(self, *_: Any) -> None:
        """Called by the client where the connection or the channel is closed."""
        self._pushed.put_nowait(None)

    async def next(self) -> Message[AbstractIncomingMessage]:
        message = await self._pushed.get()
        if message is None:
            self._pushed.put_nowait(None)
            raise SourceError(f"the broker at {self._where} closed the connection")
        return Message(read_event(key_of(message), partial(self._read, message)), message)

    def _read(self, message: AbstractIncomingMessage) -> dict[str, Any]:
        what = f"the body of message {message.message_id or ''} in `{self._properties.queue}`"
        data = deserialized(message.body, self._properties.serde_type, what)
        return {**described(message), "data": data}

    async def acknowledge(self, messages: Sequence[Message[AbstractIncomingMessage]]) -> None:
        with amqp_errors(self._where, self._properties.queue):
            for message in messages:
                await message.handle.ack()

    async def give_back(self, messages: Sequence[Message[AbstractIncomingMessage]]) -> None:
        with amqp_errors(self._where, self._properties.queue):
            for message in reversed(messages):
                await message.handle.nack(requeue=True)

    async def reject(self, message: Message[AbstractIncomingMessage]) -> None:
        """Let the broker drop it, or publish it to the queue's dead letter exchange."""
        with amqp_errors(self._where, self._properties.queue):
            await message.handle.reject(requeue=False)


@asynccontextmanager
async def consumer(
    properties: AmqpRealtime | AmqpBatch, surroundings: Surroundings
) -> AsyncIterator[AmqpConsumer]:
    """Open a consumer of the trigger's queue."""
    where = properties.host or "the address in `url`"
    with amqp_errors(where, properties.queue):
        connection = await asyncio.wait_for(_connect(properties), CONNECT_SECONDS)
    try:
        opened = AmqpConsumer(properties, where)
        with amqp_errors(where, properties.queue):
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await channel.get_queue(properties.queue, ensure=True)
            connection.close_callbacks.add(opened.closed)
            channel.close_callbacks.add(opened.closed)
            await queue.consume(opened.take, consumer_tag=properties.consumer_tag)
        yield opened
    finally:
        await connection.close()


async def _connect(properties: AmqpRealtime | AmqpBatch) -> aio_pika.abc.AbstractConnection:
    if properties.url is not None:
        return await aio_pika.connect(properties.url)
    try:
        port = int(properties.port)
    except ValueError:
        raise SourceError(f"`port` is `{properties.port}`, which is not a number") from None
    return await aio_pika.connect(
        host=properties.host or "",
        port=port,
        login=properties.username or "guest",
        password=properties.password or "guest",
        virtualhost=properties.virtual_host,
    )


@contextmanager
def amqp_errors(where: str, queue: str) -> Iterator[None]:
    """What the client raises, in words for the flow's author."""
    try:
        yield
    except ProbableAuthenticationError:
        raise SourceError(f"the broker at {where} refuses the credentials") from None
    except ChannelNotFoundEntity:
        raise SourceError(f"the broker at {where} has no queue `{queue}`") from None
    except ChannelAccessRefused:
        raise SourceError(f"the user may not read the queue `{queue}` at {where}") from None
    except TimeoutError:
        raise SourceError(f"the broker at {where} does not answer") from None
    except (AMQPError, OSError, ValueError) as error:
        raise SourceError(f"the broker at {where} can't be used: {type(error).__name__}") from None


def described(message: AbstractIncomingMessage) -> dict[str, Any]:
    """The properties of a message, by Kestra's names; those that it has not are null."""
    mode: int | None = message.delivery_mode
    return {
        "contentType": message.content_type,
        "contentEncoding": message.content_encoding,
        "headers": json_value(message.headers or {}),
        "deliveryMode": None if mode is None else int(mode),
        "priority": message.priority,
        "messageId": message.message_id,
        "correlationId": message.correlation_id,
        "replyTo": message.reply_to,
        "expiration": json_value(message.expiration),
        "timestamp": json_value(message.timestamp),
        "type": message.type,
        "userId": message.user_id,
        "appId": message.app_id,
    }


def key_of(message: AbstractIncomingMessage) -> str:
    """The key of a message. An id that is used for another content as well is another message."""
    if not message.message_id:
        return f"unnamed/{secrets.token_hex(16)}"
    digest = hashlib.sha256(message.body).hexdigest()[:16]
    return f"{message.message_id}/{digest}"


stream = stream_of(consumer)
poll = poll_of(consumer, counted_as="count")
