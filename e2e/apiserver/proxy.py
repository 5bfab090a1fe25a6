"""The network between the controller and the API server, which can be cut."""

from __future__ import annotations

import asyncio
from contextlib import suppress

_HOST = "127.0.0.1"


class Proxy:
    """Passes bytes on, as they are, to a port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._away = False
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, _HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection: calls get no answer, watches end."""
        for writer in list(self._open):
            writer.transport.abort()

    async def be_away(self, seconds: float) -> None:
        """Let nobody through for a while."""
        self._away = True
        self.cut()
        await asyncio.sleep(seconds)
        self._away = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away:
            writer.transport.abort()
            return
        try:
            theirs, ours = await asyncio.open_connection(_HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        both = (writer, ours)
        self._open.update(both)
        try:
            await asyncio.gather(_pass_on(reader, ours), _pass_on(theirs, writer))
        finally:
            self._open.difference_update(both)
            for item in both:
                item.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
