"""Whom a service lets in: a bounded number, of which nobody gets all."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from penstock.tls import entrance as module
from penstock.tls.authority import Authority
from penstock.tls.entrance import Entrance, by_tls
from penstock.tls.serving import FOLDER
from penstock.tls.trust import STORAGE, trusting
from tests.fixtures.certificates import authority, served_by
from tests.fixtures.controller import until

AT_ONCE = 12


class Echo(asyncio.Protocol):
    """Says what it is told."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


class Line:
    """A connection to a service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def said(self) -> bytes:
        self._writer.write(b"hello\n")
        return await self._reader.readline()

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class Service:
    """A service on a port, and those who call it from addresses of this machine."""

    def __init__(self, entrance: Entrance, port: int, own: Authority) -> None:
        self.entrance = entrance
        self._port = port
        self._own = own

    async def call(self, peer: str = "127.0.0.1", tls: bool = True) -> Line:
        known = trusting(self._own.pem) if tls else None
        return Line(
            *await asyncio.open_connection(
                "127.0.0.1",
                self._port,
                ssl=known,
                server_hostname=STORAGE if tls else None,
                local_addr=(peer, 0),
            )
        )

    async def lets_in(self, peer: str) -> Line | None:
        """A connection of a peer; None where it is turned away."""
        try:
            line = await self.call(peer)
            return line if await line.said() == b"hello\n" else None
        except OSError:
            return None

    @property
    def held(self) -> int:
        return self.entrance._held.total()


@asynccontextmanager
async def serving(folder: Path, own: Authority) -> AsyncIterator[Service]:
    entrance = Entrance(Echo, served_by(own, folder / "tls"), AT_ONCE)
    async with entrance.listening(0, "127.0.0.1") as port:
        yield Service(entrance, port, own)


async def test_one_that_opens_what_it_can_leaves_room_for_others(tmp_path: Path) -> None:
    async with serving(tmp_path, authority()) as service:
        # when: one calls as often as it is let in
        greedy = [await service.lets_in("127.0.0.2") for _ in range(AT_ONCE)]
        # then: it has a third, and others are let in
        assert sum(line is not None for line in greedy) == AT_ONCE // 3
        modest = [await service.lets_in(f"127.0.0.{n}") for n in range(3, 8)]
        assert all(line is not None for line in modest)
        # and when it lets go of what it has, it may come again
        for line in greedy:
            if line is not None:
                await line.close()
        await until(lambda: service.held == len(modest))
        assert await service.lets_in("127.0.0.2") is not None


async def test_all_together_are_bounded(tmp_path: Path) -> None:
    async with serving(tmp_path, authority()) as service:
        lines = [await service.lets_in(f"127.0.1.{n}") for n in range(1, 2 * AT_ONCE)]
        assert sum(line is not None for line in lines) == AT_ONCE == service.held


async def test_who_never_begins_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: one that connects and says nothing, and one that speaks another protocol
    monkeypatch.setattr(module, "HANDSHAKE", 0.2)
    async with serving(tmp_path, authority()) as service:
        silent, other = await service.call(tls=False), await service.call(tls=False)
        await until(lambda: service.held == 2)
        # then: the second one is not answered, the first one not waited for
        with suppress(OSError):
            assert await other.said() == b""
        await until(lambda: service.held == 0)
        await silent.close()
        assert await service.lets_in("127.0.0.1") is not None


async def test_who_does_not_trust_the_service_leaves_nothing(tmp_path: Path) -> None:
    own = authority()
    async with serving(tmp_path, own) as service:
        stranger = Service(service.entrance, service._port, authority())
        for _ in range(AT_ONCE):
            with pytest.raises(ssl.SSLCertVerificationError):
                await stranger.call()
        await until(lambda: service.held == 0)


async def test_connections_that_are_there_outlive_the_entrance(tmp_path: Path) -> None:
    async with serving(tmp_path, authority()) as service:
        line = await service.lets_in("127.0.0.1")
    assert line is not None
    assert await line.said() == b"hello\n"
    with pytest.raises(ConnectionRefusedError):
        await service.call()
    await line.close()


async def test_outside_of_a_cluster_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    async with by_tls(Echo, 0) as is_encrypted:
        assert not is_encrypted
