"""Who talks to whom: real handshakes, between a server whose certificate lies in a folder and
clients that know a CA."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from penstock.tls import serving
from penstock.tls.authority import LIFE, SKEW, Authority, Pair
from penstock.tls.serving import FOLDER, ServedCertificate, tls_of_environment
from penstock.tls.trust import GIT, STORAGE, NotOurService, ServiceConnection, trusting
from tests.fixtures.certificates import Mounted, authority

NOW = datetime.now(UTC)


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    return Mounted(tmp_path / "tls")


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """A server that says what it is asked, on a port of this machine."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
        yield int(server.sockets[0].getsockname()[1])


async def said(port: int, authorities: str, name: str = STORAGE) -> bytes:
    """What the server answers to a client that knows these CAs."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=trusting(authorities), server_hostname=name
    )
    writer.write(b"hello\n")
    line = await reader.readline()
    writer.close()
    return line


async def test_who_knows_the_ca_is_answered_at_any_address(mounted: Mounted) -> None:
    own = authority()
    mounted.put(own.issue(STORAGE, NOW))
    async with listening(ServedCertificate(mounted.folder).context) as port:
        assert await said(port, own.pem) == b"hello\n"


async def test_nobody_else_is_taken_for_the_service(mounted: Mounted) -> None:
    # given
    own, other = authority(), authority()
    mounted.put(own.issue(STORAGE, NOW))
    async with listening(ServedCertificate(mounted.folder).context) as port:
        # then: not by a client of another installation
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
            await said(port, other.pem)
        # nor as another service
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await said(port, own.pem, GIT)


@pytest.mark.parametrize(
    ("issued", "why"),
    [(NOW - LIFE, "has expired"), (NOW + SKEW + timedelta(hours=1), "not yet valid")],
    ids=["ended", "to come"],
)
async def test_a_certificate_counts_for_a_time(
    mounted: Mounted, issued: datetime, why: str
) -> None:
    own = authority()
    mounted.put(own.issue(STORAGE, issued))
    async with listening(ServedCertificate(mounted.folder).context) as port:
        with pytest.raises(ssl.SSLCertVerificationError, match=why):
            await said(port, own.pem)


async def test_a_renewed_certificate_is_served_without_a_restart(mounted: Mounted) -> None:
    # given
    old, new = authority(), authority()
    mounted.put(old.issue(STORAGE, NOW))
    served = ServedCertificate(mounted.folder)
    fresh = asyncio.create_task(served.keep_fresh(every=0.01))
    async with listening(served.context) as port:
        assert await said(port, old.pem) == b"hello\n"
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting(old.pem), server_hostname=STORAGE
        )
        # when: what is there for a moment can't be served
        mounted.put(Pair(new.issue(STORAGE, NOW).certificate, old.issue(STORAGE, NOW).key))
        await asyncio.sleep(0.1)
        assert await said(port, old.pem) == b"hello\n"
        mounted.put(new.issue(STORAGE, NOW))
        # then
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await said(port, new.pem) == b"hello\n"
                    break
                except ssl.SSLCertVerificationError:
                    await asyncio.sleep(0.01)
        # and a connection that was there goes on
        writer.write(b"still\n")
        assert await reader.readline() == b"still\n"
        writer.close()
    fresh.cancel()


async def test_pods_notice_nothing_of_a_renewed_ca(mounted: Mounted) -> None:
    # given: a pod that began before, and one that began after
    before = authority()
    after = Authority.read(before.renewed(NOW + timedelta(minutes=1)).pair)
    for issuer in (before, after):
        mounted.put(issuer.issue(STORAGE, NOW))
        async with listening(ServedCertificate(mounted.folder).context) as port:
            for known in (before, after):
                assert await said(port, known.pem) == b"hello\n"


async def test_with_a_new_ca_pods_know_the_one_before_too(mounted: Mounted) -> None:
    # given: the service still serves with what the CA before has issued
    before, new = authority(), authority()
    mounted.put(before.issue(STORAGE, NOW))
    known = new.after(before.pem, NOW)
    async with listening(ServedCertificate(mounted.folder).context) as port:
        assert await said(port, known) == b"hello\n"


async def test_a_pods_connection_says_who_is_no_service_of_this_installation(
    mounted: Mounted,
) -> None:
    own, other = authority(), authority()
    mounted.put(own.issue(STORAGE, NOW))

    def connect(port: int, authorities: str) -> None:
        connection = ServiceConnection(f"127.0.0.1:{port}", STORAGE, trusting(authorities), 10)
        connection.connect()
        connection.close()

    async with listening(ServedCertificate(mounted.folder).context) as port:
        await asyncio.to_thread(connect, port, own.pem)
        with pytest.raises(NotOurService, match=rf"127\.0\.0\.1:{port} .* run it again"):
            await asyncio.to_thread(connect, port, other.pem)


async def test_what_is_not_encrypted_gets_no_answer(mounted: Mounted) -> None:
    mounted.put(authority().issue(STORAGE, NOW))
    async with listening(ServedCertificate(mounted.folder).context) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            answer = await reader.read()
        except ConnectionError:
            answer = b""
        writer.close()
    assert b"HTTP" not in answer


async def test_old_versions_of_the_protocol_are_refused(mounted: Mounted) -> None:
    own = authority()
    mounted.put(own.issue(STORAGE, NOW))
    client = trusting(own.pem)
    client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_2
    async with listening(ServedCertificate(mounted.folder).context) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=STORAGE)


async def test_a_service_serves_as_its_environment_says(
    mounted: Mounted, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: none is named
    monkeypatch.delenv(FOLDER, raising=False)
    async with tls_of_environment() as tls:
        assert tls is None
    # and one is
    monkeypatch.setattr(serving, "EVERY", 0.01)
    own = authority()
    mounted.put(own.issue(STORAGE, NOW))
    monkeypatch.setenv(FOLDER, str(mounted.folder))
    async with tls_of_environment() as tls, listening(tls) as port:
        assert await said(port, own.pem) == b"hello\n"


async def test_a_service_without_its_certificate_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(SystemExit, match="look into its log"):
        async with tls_of_environment():
            pass
