"""Takes the messages of a stream of NATS JetStream by a durable consumer."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import nats
from nats.aio.client import RawCredentials
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from penstock.listener.source import Event, SourceError, Surroundings
from penstock.listener.sources.consumer import Message, poll_of, stream_of
from penstock.triggers.brokers.nats import NatsBatch, NatsRealtime

FETCH_SECONDS = 5.0
"""How long one question for a message waits; a connection that is gone is noticed then."""
ACK_SECONDS = 15.0
"""After how long without a word of it a message is delivered once more, by a consumer that the
listener makes."""
BACK_SECONDS = 0.5
"""After how long a message comes again that was given back: not at once, since it would go to a
question that nobody waits for any more, where the connection is about to be closed."""
WORD_SECONDS = 5.0
"""How often the server is told that a message is still in hand: a listener that lives keeps it."""


class NatsConsumer:
    """Takes the messages of a durable consumer, one after the other."""

    def __init__(self, pulled: JetStreamContext.PullSubscription, where: str) -> None:
        self._pulled = pulled
        self._where = where
        self._open: dict[int, Msg] = {}

    async def keep(self) -> None:
        """Tell the server, for as long as this runs, which messages are still in hand."""
        while True:
            await asyncio.sleep(WORD_SECONDS)
            for message in list(self._open.values()):
                # Whoever waits for a message is told of a connection that is gone.
                with suppress(NatsError, OSError):
                    await message.in_progress()

    async def next(self) -> Message[Msg]:
        while True:
            with nats_errors(self._where):
                try:
                    (message,) = await self._pulled.fetch(1, timeout=FETCH_SECONDS)
                except TimeoutError:
                    continue
            self._open[id(message)] = message
            return Message(event_of(message), message)

    async def acknowledge(self, messages: Sequence[Message[Msg]]) -> None:
        with nats_errors(self._where):
            for message in messages:
                await message.handle.ack_sync(timeout=FETCH_SECONDS)
                self._open.pop(id(message.handle), None)

    async def give_back(self, messages: Sequence[Message[Msg]]) -> None:
        with nats_errors(self._where):
            for message in messages:
                self._open.pop(id(message.handle), None)
                await message.handle.nak(delay=BACK_SECONDS)

    async def reject(self, message: Message[Msg]) -> None:
        """Let the server deliver it to nobody any more; it stays in the stream."""
        with nats_errors(self._where):
            self._open.pop(id(message.handle), None)
            await message.handle.term()


def event_of(message: Msg) -> Event:
    """The event of a message. Its time is in the key, since a stream that is made anew counts from
    one again."""
    metadata = message.metadata
    place = f"{metadata.stream}/{metadata.sequence.stream}"
    at = metadata.timestamp
    variables = {
        "subject": message.subject,
        "headers": {name: [value] for name, value in (message.headers or {}).items()},
        "data": message.data.decode("utf-8", "replace"),
        "timestamp": at.isoformat(),
    }
    return Event(f"{place}@{int(at.timestamp() * 1_000_000)}", variables)


@asynccontextmanager
async def consumer(
    properties: NatsRealtime | NatsBatch, surroundings: Surroundings
) -> AsyncIterator[NatsConsumer]:
    """Open the durable consumer of a trigger, and make it where it is new."""
    where = re.sub(r"//[^@/]*@", "//", properties.url)

    async def on_error(error: Exception) -> None:
        surroundings.logger.debug("NATS at %s: %s", where, error)

    options: dict[str, Any] = {
        "allow_reconnect": False,
        "error_cb": on_error,
        "connect_timeout": 5,
        # The listener opens it again, after a while and in words: the client tries twice.
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": 0.2,
    }
    if properties.creds:
        options["user_credentials"] = RawCredentials(properties.creds)
    login = {
        "user": properties.username,
        "password": properties.password,
        "token": properties.token,
    }
    options.update({name: value for name, value in login.items() if value})
    with nats_errors(where):
        connection = await nats.connect(servers=[properties.url], **options)
    try:
        with nats_errors(where):
            pulled = await _pull(connection.jetstream(), properties, surroundings, where)
        opened = NatsConsumer(pulled, where)
        keeping = asyncio.create_task(opened.keep())
        try:
            yield opened
        finally:
            keeping.cancel()
    finally:
        await connection.close()


async def _pull(
    stream: JetStreamContext,
    properties: NatsRealtime | NatsBatch,
    surroundings: Surroundings,
    where: str,
) -> JetStreamContext.PullSubscription:
    subject = properties.subject
    try:
        await stream.find_stream_name_by_subject(subject)
    except NotFoundError:
        raise SourceError(
            f"no stream of JetStream at {where} has the subject `{subject}`"
        ) from None
    except TimeoutError:
        raise SourceError(f"NATS at {where} has no JetStream, or refuses to tell of it") from None
    durable = properties.durable_id or durable_name(surroundings.name)
    return await stream.pull_subscribe(subject, durable=durable, config=_config(properties))


def _config(properties: NatsRealtime | NatsBatch) -> ConsumerConfig:
    policy = re.sub(r"(?<!^)(?=[A-Z])", "_", properties.deliver_policy).lower()
    config = ConsumerConfig(deliver_policy=DeliverPolicy(policy), ack_wait=ACK_SECONDS)
    if policy == "by_start_time":
        try:
            since = datetime.fromisoformat(properties.since or "")
        except ValueError:
            raise SourceError("`since` must be a time such as 2026-01-31T09:00:00Z") from None
        config.opt_start_time = since if since.tzinfo else since.replace(tzinfo=UTC)
    return config


@contextmanager
def nats_errors(where: str) -> Iterator[None]:
    """What the client raises, in words for the flow's author."""
    try:
        yield
    except (NatsError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        text = str(error)
        if "authorization" in text.lower() or "permissions" in text.lower():
            raise SourceError(f"NATS at {where} refuses the credentials: {text}") from None
        raise SourceError(
            f"NATS at {where} can't be used: {text or type(error).__name__}"
        ) from None
    except (ValueError, TypeError) as error:
        raise SourceError(f"`url`, or the credentials for it, can't be read: {error}") from None


def durable_name(name: str) -> str:
    """A name that a durable consumer may have, and that no other trigger's has."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"penstock-{re.sub(r'[^A-Za-z0-9_-]', '-', name)[:80]}-{digest}"


stream = stream_of(consumer)
poll = poll_of(consumer)
