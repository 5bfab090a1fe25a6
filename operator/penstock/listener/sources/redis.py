"""Takes the elements of a list in Redis.

An element has no name of its own, and popping it removes it. So it is moved, in one step, to a
hash beside the list, where it has a new name that stays its key; it is removed there once its
Execution is stored. What a listener left there that died is delivered first by the next one.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from penstock.listener.source import SourceError, Surroundings
from penstock.listener.sources.consumer import Message, poll_of, stream_of
from penstock.listener.sources.deserializing import deserialized, read_event
from penstock.triggers.brokers.redis import RedisListBatch, RedisListRealtime

EMPTY_WAIT = 0.1
"""How long to wait before an empty list is looked at again, in seconds."""
MOST_REJECTED = 1_000
"""How many elements are kept that no Execution could be made of."""
_TIMEOUT = 10.0
_TAKE = """
local value = redis.call('LPOP', KEYS[1])
if value then redis.call('HSET', KEYS[2], ARGV[1], value) end
return value
"""


class RedisListConsumer:
    """Takes elements from the left of a list."""

    def __init__(self, client: Redis, properties: RedisListRealtime | RedisListBatch, name: str):
        self._client = client
        self._key = properties.key
        self._kind = properties.serde_type
        self._held = held_key(properties.key, name)
        self._where = place_of(properties.url)
        self._waiting: deque[tuple[str, bytes]] = deque()

    async def recover(self) -> None:
        """Put what was taken and never acknowledged before everything else, oldest first."""
        with self._errors():
            held = await self._client.hgetall(self._held)
        # The client gives bytes, since it is not asked to decode them.
        raw = cast("dict[bytes, bytes]", held)
        found = ((name.decode(), value) for name, value in raw.items())
        self._waiting.extend(sorted(found))

    async def next(self) -> Message[tuple[str, bytes]]:
        while not self._waiting:
            name = f"{time.time_ns():016x}-{secrets.token_hex(6)}"
            with self._errors():
                value = await self._client.eval(_TAKE, 2, self._key, self._held, name)
            if value is not None:
                self._waiting.append((name, value))
            else:
                await asyncio.sleep(EMPTY_WAIT)
        name, value = self._waiting[0]
        return Message(read_event(name, partial(self._read, value)), self._waiting.popleft())

    def _read(self, value: bytes) -> dict[str, Any]:
        return {"value": deserialized(value, self._kind, f"an element of the list `{self._key}`")}

    async def acknowledge(self, messages: Sequence[Message[tuple[str, bytes]]]) -> None:
        with self._errors():
            await self._client.hdel(self._held, *(message.handle[0] for message in messages))

    async def give_back(self, messages: Sequence[Message[tuple[str, bytes]]]) -> None:
        """Keep them in the hash, under their names, and deliver them once more from there."""
        self._waiting.extendleft(message.handle for message in reversed(messages))

    async def reject(self, message: Message[tuple[str, bytes]]) -> None:
        """Move it from the hash to the end of a list of such ones, of which the last stay."""
        name, value = message.handle
        rejected = f"{self._held}:rejected"
        with self._errors():
            async with self._client.pipeline(transaction=True) as steps:
                steps.rpush(rejected, value)
                steps.ltrim(rejected, -MOST_REJECTED, -1)
                steps.hdel(self._held, name)
                await steps.execute()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What the client raises, in words for the flow's author."""
        try:
            yield
        except (AuthenticationError, NoPermissionError) as error:
            raise SourceError(f"Redis at {self._where} refuses the credentials: {error}") from None
        except ResponseError as error:
            if "WRONGTYPE" in str(error):
                raise SourceError(f"`{self._key}` in Redis is not a list") from None
            raise SourceError(f"Redis at {self._where} refuses: {error}") from None
        except (RedisError, OSError) as error:
            raise SourceError(f"Redis at {self._where} does not answer: {error}") from None


@asynccontextmanager
async def consumer(
    properties: RedisListRealtime | RedisListBatch, surroundings: Surroundings
) -> AsyncIterator[RedisListConsumer]:
    """Open a consumer of a list."""
    if urlsplit(properties.url).scheme not in ("redis", "rediss"):
        raise SourceError("`url` must begin with redis:// or rediss://")
    try:
        # The client tries nothing twice by itself: an element that was taken by a call whose answer
        # was lost is found in the hash.
        client: Redis = Redis.from_url(
            properties.url,
            socket_connect_timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise SourceError("`url` is not an address such as redis://host:6379/0") from None
    try:
        opened = RedisListConsumer(client, properties, surroundings.name)
        await opened.recover()
        yield opened
    finally:
        await client.aclose()


def held_key(key: str, name: str) -> str:
    """The key of the hash for what is taken and not acknowledged; in a cluster it is beside the
    list."""
    is_tagged = 0 <= key.find("{") < key.find("}") - 1
    return f"{key if is_tagged else '{' + key + '}'}:penstock:{name}"


def place_of(url: str) -> str:
    """Host and port of an address, without its credentials."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return f"{parts.hostname or 'localhost'}:{port or 6379}"


stream = stream_of(consumer)
poll = poll_of(consumer, counted_as="count")
