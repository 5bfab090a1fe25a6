"""How much of the service one tenant may take up, and how slow a peer may be.

A tenant is a Kubernetes namespace. Of each kind of work so much goes on at once, and a part of that
for one tenant: whoever has used up its own share waits, and the others go on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from penstock.storage.errors import StorageUnavailable
from penstock.turns import Turns

WAITS = 20.0
"""Seconds for which a request waits for its place. The client tries again after that."""
MOST_WAITING, MOST_WAITING_PER_TENANT = 256, 64
"""The requests that wait at once for one kind of work: 256 KiB of each may have come already."""

PIECE = 64 * 1024
WITHIN = 30.0
"""A peer gives or takes a piece of so many bytes within so many seconds (2 KiB/s), or what is left;
one that is slower is cut off."""
TOO_SLOW = f"less than {PIECE // 1024} KiB within {WITHIN:.0f} s"


class Shares:
    """Lets in so many requests at once, and of one tenant no more than its share."""

    def __init__(
        self, doing: str, at_once: int, per_tenant: int, *, waits: float | None = None
    ) -> None:
        """``doing`` says what the requests want, after "too many …"."""
        self._doing = doing
        self._per_tenant = per_tenant
        self._waits = WAITS if waits is None else waits
        self._turns = Turns(at_once, per_tenant)
        self._waiting = Counter[str]()

    @asynccontextmanager
    async def place(self, request: web.Request, tenant: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it while the block runs. Raises
        :class:`StorageUnavailable`, upon which the client tries again, where none becomes free;
        ``ConnectionError`` where the client has gone meanwhile.
        """
        async with AsyncExitStack() as stack:
            with_place = self._turns.turn(tenant)
            try:
                async with self._in_line(tenant), _unread(request), asyncio.timeout(self._waits):
                    await stack.enter_async_context(with_place)
            except TimeoutError:
                raise self._too_many(tenant) from None
            if not is_connected(request):
                raise ConnectionAbortedError("the client has gone")
            yield

    @asynccontextmanager
    async def _in_line(self, tenant: str) -> AsyncIterator[None]:
        if self._turns.has_room(tenant):
            yield
            return
        is_full = self._waiting.total() >= MOST_WAITING
        if is_full or self._waiting[tenant] >= MOST_WAITING_PER_TENANT:
            raise self._too_many(tenant)
        self._waiting[tenant] += 1
        try:
            yield
        finally:
            self._waiting[tenant] -= 1
            self._waiting += Counter()  # drops the tenants of which none waits

    def _too_many(self, tenant: str) -> StorageUnavailable:
        return StorageUnavailable(
            f"too many {self._doing} at once: {self._per_tenant} may be of the Kubernetes "
            f"namespace `{tenant}`, and those of others go on meanwhile; try again"
        )


@asynccontextmanager
async def _unread(request: web.Request) -> AsyncIterator[None]:
    """Take no more of a body while nobody reads it, so that it does not pile up in memory."""
    if request.transport is None or not request.body_exists:
        yield
        return
    request.transport.pause_reading()
    try:
        yield
    finally:
        if request.transport is not None:
            request.transport.resume_reading()


def is_connected(request: web.Request) -> bool:
    """Whether the client is still there. May be asked in any thread."""
    transport = request.transport
    return transport is not None and not transport.is_closing()


class Pace:
    """The least rate of one peer. The time in which the peer has nothing to do does not count."""

    def __init__(self) -> None:
        self._left = WITHIN
        self._moved = 0

    @asynccontextmanager
    async def awaited(self) -> AsyncIterator[None]:
        """Wait for the peer in the block. Raises ``TimeoutError`` where it is too slow."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        async with asyncio.timeout(self._left):
            yield
        self._left = max(0.0, self._left - (clock() - begun))

    def moved(self, count: int) -> None:
        """Count bytes that the peer gave or took."""
        self._moved += count
        if self._moved >= PIECE:
            self._moved, self._left = 0, WITHIN


async def send(response: web.StreamResponse, data: bytes) -> None:
    """Send a block piece by piece. Raises ``ConnectionError`` where the client has gone, or takes
    too little of it.
    """
    rest = memoryview(data)
    try:
        while rest:
            async with asyncio.timeout(WITHIN):
                await response.write(rest[:PIECE])
            rest = rest[PIECE:]
    except TimeoutError:
        raise ConnectionAbortedError(f"the client took {TOO_SLOW}") from None


async def whole_body(request: web.Request) -> bytes:
    """The body of a small request. Raises :class:`StorageUnavailable` where it comes too slowly."""
    try:
        async with asyncio.timeout(WITHIN):
            return await request.read()
    except TimeoutError:
        raise StorageUnavailable(f"the request did not come within {WITHIN:.0f} s") from None
