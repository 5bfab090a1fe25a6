"""Lets connections in to a service that every pod of the cluster may call: never too many of them.

Each takes some 300 KiB of memory before it has said who it is. So there is a bound for all, and a
peer may hold half as many as are still free: one that opens what it can gets a third of them, and
for who comes next there is always room. Who is turned away tries again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from penstock.tls.serving import tls_of_environment

AT_ONCE = 512
"""The most connections at once."""
HANDSHAKE = 10.0
"""Seconds for which a peer may take to begin."""
_BACKLOG = 128
_NO_ROOM = 1.0
"""Seconds to wait where the system has no room for another connection."""

logger = logging.getLogger(__name__)

Protocols = Callable[[], asyncio.Protocol]


@asynccontextmanager
async def by_tls(protocols: Protocols, port: int) -> AsyncIterator[bool]:
    """Serve by TLS within the block, with the certificate that the environment names. Where it
    names none, nothing is done: the block is told, and serves by plain HTTP."""
    async with tls_of_environment() as tls:
        if tls is None:
            yield False
            return
        async with Entrance(protocols, tls).listening(port):
            yield True


class Entrance:
    """Lets peers in, each by a protocol of its own."""

    def __init__(self, protocols: Protocols, tls: ssl.SSLContext, at_once: int = AT_ONCE) -> None:
        self._protocols = protocols
        self._tls = tls
        self._at_once = at_once
        self._held = Counter[str]()
        """The connections of each peer, by its address."""
        self._beginning = set[asyncio.Task[None]]()

    @asynccontextmanager
    async def listening(self, port: int, host: str | None = None) -> AsyncIterator[int]:
        """Let in whoever calls the port, on each address of the machine or on that of the host;
        yield the port. Connections that are there stay when the block ends."""
        listeners = _listeners(host, port)
        accepting = [asyncio.create_task(self._accept(listener)) for listener in listeners]
        try:
            yield int(listeners[0].getsockname()[1])
        finally:
            for task in (*accepting, *self._beginning):
                task.cancel()
            await asyncio.gather(*accepting, *self._beginning, return_exceptions=True)
            for listener in listeners:
                listener.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)  # however many call, what was let in goes on
            try:
                connection, address = await loop.sock_accept(listener)
            except ConnectionError:  # the peer has gone
                continue
            except OSError as error:  # such as too many open files
                logger.warning("a connection can't be let in: %s", error)
                await asyncio.sleep(_NO_ROOM)
                continue
            peer = str(address[0])
            if not self._has_room(peer):
                connection.close()
                continue
            self._held[peer] += 1
            task = asyncio.create_task(self._begin(connection, peer))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    def _has_room(self, peer: str) -> bool:
        return 2 * self._held[peer] < self._at_once - self._held.total()

    async def _begin(self, connection: socket.socket, peer: str) -> None:
        protocol = _Counted(self._protocols(), lambda: self._left(peer))
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol, connection, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE
            )
        except OSError:  # it speaks another protocol, or does not trust us
            pass
        finally:
            if not protocol.has_begun:
                connection.close()
                self._left(peer)

    def _left(self, peer: str) -> None:
        self._held[peer] -= 1
        if not self._held[peer]:
            del self._held[peer]


class _Counted(asyncio.Protocol):
    """A protocol whose end is told."""

    def __init__(self, inner: asyncio.Protocol, ended: Callable[[], None]) -> None:
        self._inner = inner
        self._ended = ended
        self.has_begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.has_begun = True
        self._inner.connection_made(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._ended()
        self._inner.connection_lost(error)


def _listeners(host: str | None, port: int) -> list[socket.socket]:
    """Listen on every family of addresses that the machine has. Raises ``OSError`` where none can
    be had."""
    made, failed = [], OSError(f"no address for the port {port}")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, _, _, _, address in found:
        try:
            listener = socket.create_server(address, family=family, backlog=_BACKLOG)
        except OSError as error:  # a machine without that family
            failed = error
            continue
        listener.setblocking(False)
        made.append(listener)
    if not made:
        raise failed
    return made
