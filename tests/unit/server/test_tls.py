"""The storage service by TLS, as the pods of tasks reach it in a cluster."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientConnectorError, ClientError, ClientSession

from penstock.kubernetes.api.client import Api
from penstock.storage.errors import AccessDenied, FileTooLarge, StorageFull, StorageUnavailable
from penstock.storage.settings import StorageSettings
from penstock.storage_service.main import serve
from penstock.tasks.remote import transfer
from penstock.tasks.remote.transfer import Connector, send
from penstock.tls.authority import Authority
from penstock.tls.serving import FOLDER
from penstock.tls.trust import GIT, STORAGE, ServiceConnection, trusting
from tests.fixtures.certificates import authority, served_by
from tests.fixtures.storageservice import LARGEST, KnownJobs, Running, running
from tests.unit.server.test_logs import keep


@pytest.fixture
def own() -> Authority:
    return authority()


@pytest.fixture
def service(tmp_path: Path, own: Authority) -> Iterator[Running]:
    with running(tmp_path / "storage", served_by(own, tmp_path / "tls")) as service:
        yield replace(service, authorities=own.pem)


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(transfer, "LONGEST_PAUSE", 0.001)


def test_files_go_to_and_fro(service: Running, tmp_path: Path) -> None:
    # given: more than fits the buffers between the two
    content, file, back = os.urandom(20_000_000), tmp_path / "file", tmp_path / "back"
    file.write_bytes(content)
    client = service.client()
    # when
    uri = client.upload("a", file)
    client.download(uri, back)
    # then
    assert back.read_bytes() == content
    assert client.files.size(uri) == len(content)


def test_logs_are_read(service: Running) -> None:
    keep(service, "task", (1, "hello"))
    client = service.client(rights=frozenset({"logs"}))
    assert [entry.message for entry in client.logs(None, [], "TRACE")] == ["hello"]


def test_what_is_refused_is_told_in_words(service: Running, tmp_path: Path) -> None:
    # given
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(LARGEST + 1)
    client = service.client()
    # then
    with pytest.raises(FileTooLarge):
        client.upload("a", large)
    with pytest.raises(AccessDenied):
        client.files.open("kestra:///company/other/executions/run-9/x")


def test_an_answer_that_comes_while_a_file_is_sent_is_read(tmp_path: Path, own: Authority) -> None:
    """A service that refuses a file does not wait for all of it: after some seconds it closes."""
    # given
    tls = served_by(own, tmp_path / "tls")
    said = b'{"error": {"reason": "full", "message": "no room for it"}}'

    def refuse(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        with tls.wrap_socket(plain, server_side=True) as connection:
            connection.recv(65_536)
            head = f"HTTP/1.1 507 Full\r\nContent-Length: {len(said)}\r\n\r\n"
            connection.sendall(head.encode() + said)
            time.sleep(0.2)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=(listener,), daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        body = io.BytesIO(bytes(20_000_000))
        # then
        with pytest.raises(StorageFull, match="no room for it"):
            send(url + "/o/a", {}, body, 20_000_000, "a", Connector(url, own.pem))
        thread.join(10)


@pytest.mark.usefixtures("_at_once")
def test_who_is_another_is_given_neither_grant_nor_file(service: Running) -> None:
    # given: a pod that knows another CA
    foreign = replace(service, authorities=authority().pem)
    # then
    with pytest.raises(StorageUnavailable, match="no certificate of this Penstock"):
        foreign.client().files.exists("kestra:///x")
    assert service.known.asked == []


@pytest.mark.usefixtures("_at_once")
def test_the_git_service_is_not_taken_for_the_storage(tmp_path: Path, own: Authority) -> None:
    git = served_by(own, tmp_path / "tls", GIT)
    with running(tmp_path / "storage", git) as service:
        client = replace(service, authorities=own.pem).client()
        with pytest.raises(StorageUnavailable, match="Hostname mismatch"):
            client.files.exists("kestra:///x")


def test_plain_http_gets_no_answer(service: Running) -> None:
    connection = HTTPConnection(urlsplit(service.url).netloc, timeout=10)
    connection.request("GET", "/healthz")
    with pytest.raises((OSError, HTTPException)):
        connection.getresponse()
    connection.close()


def test_only_the_service_is_known_by_the_ca(own: Authority) -> None:
    """The service's answers lead to object stores, too, which have certificates of others."""
    connect = Connector("https://10.0.0.1:8082", own.pem)
    for url, is_own in (
        ("https://10.0.0.1:8082/o/team/a?signature=1", True),
        ("https://bucket.example.com/team/a", False),
        ("https://10.0.0.1/o/team/a", False),
        ("http://10.0.0.1:8082/o/team/a", False),
    ):
        connection, _ = connect(url)
        assert isinstance(connection, ServiceConnection) is is_own
    assert connect("https://10.0.0.1:8082/o/a?b=c")[1] == "/o/a?b=c"


def test_without_a_ca_the_service_is_known_as_any_server_is() -> None:
    connection, _ = Connector("https://files.example.com", None)("https://files.example.com/o/a")
    assert isinstance(connection, HTTPSConnection)


async def test_the_service_starts_with_the_certificate_of_its_environment(
    tmp_path: Path, own: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    served_by(own, tmp_path / "tls")
    monkeypatch.setenv(FOLDER, str(tmp_path / "tls"))
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    settings = StorageSettings(url=f"file://{tmp_path / 'storage'}")
    # when
    serving = asyncio.create_task(serve(settings, port, cast("Api", KnownJobs())))
    url, known = f"https://127.0.0.1:{port}/healthz", trusting(own.pem)
    async with ClientSession() as session, asyncio.timeout(20):
        while True:
            try:
                answer = await session.get(url, ssl=known, server_hostname=STORAGE)
                break
            except ClientConnectorError:
                await asyncio.sleep(0.01)
        # then
        assert await answer.text() == "ok"
        with pytest.raises(ClientError):
            await session.get(url.replace("https", "http"))
        # and a connection that is open does not keep it from ending
        signal.raise_signal(signal.SIGTERM)
        await serving
