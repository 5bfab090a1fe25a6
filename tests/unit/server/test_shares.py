"""What one tenant takes up of the storage service: its share, and no more."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from penstock.kubernetes.logs.archive import LogArchive, Part
from penstock.kubernetes.logs.lines import Source
from penstock.storage.errors import FileTooLarge, StorageFull, StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.logtokens import HEADER, LogToken
from penstock.storage.signing import OneObject
from penstock.storage.uris import FILES, ExecutionPlace
from penstock.storage.usage import Usage
from penstock.storage_service import exchange, logs, objects, shares
from penstock.storage_service.exchange import Exchange, Operations
from penstock.storage_service.urls import OwnUrls, url_of
from tests.fixtures.storageservice import GRANT, LARGEST, Running, running, serving

MIB = 1024**2
CONTENT = b"0123456789" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@contextmanager
def impatient(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, within: float = 30.0, waits: float = 20.0
) -> Iterator[Running]:
    """A service that waits for a slow peer and for a place for a shorter time."""
    monkeypatch.setattr(shares, "WITHIN", within)
    monkeypatch.setattr(shares, "WAITS", waits)
    monkeypatch.setattr(logs, "_WAITS", waits)
    with running(folder / "storage") as service:
        yield service


def connected(service: Running) -> socket.socket:
    at = urlsplit(service.url)
    assert at.hostname is not None and at.port is not None
    return socket.create_connection((at.hostname, at.port), 30)


def slow_upload(service: Running, tenant: str, name: str) -> socket.socket:
    """An upload of a MiB of which one byte has come."""
    wanted = OneObject("PUT", tenant, f"/company/{name}", int(time.time()) + 3600, MIB, DIGEST)
    upload = connected(service)
    target = url_of(wanted, wanted.signature(service.key))
    upload.sendall(f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {MIB}\r\n\r\nx".encode())
    return upload


def unfinished(service: Running) -> int:
    """How many uploads are going on."""
    folder = Path(service.storage.at("/x")).parent / ".unfinished"
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def upload(service: Running, tenant: str) -> int:
    """Upload a small file, and give the status of the answer."""
    wanted = OneObject(
        "PUT", tenant, "/company/small", int(time.time()) + 3600, len(CONTENT), DIGEST
    )
    url = service.url + url_of(wanted, wanted.signature(service.key))
    with urllib.request.urlopen(urllib.request.Request(url, CONTENT, method="PUT")) as answer:
        return int(answer.status)


def until(what: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to it in time"
        time.sleep(0.01)


def test_a_tenant_with_more_uploads_than_all_may_have_leaves_room_for_others(
    service: Running,
) -> None:
    # given: a tenant with more uploads than the service has places, which hardly send anything
    with ExitStack() as open_uploads:
        for number in range(objects.AT_ONCE + 12):
            noisy = slow_upload(service, "noisy", str(number))
            open_uploads.enter_context(noisy)
        until(lambda: unfinished(service) == objects.AT_ONCE_PER_TENANT)
        # when
        began = time.monotonic()
        status = upload(service, "others")
        # then: others do not wait for any of them
        assert status == 201
        assert time.monotonic() - began < shares.WAITS / 2
        assert unfinished(service) == objects.AT_ONCE_PER_TENANT
    until(lambda: unfinished(service) == 0)


def test_namespaces_that_hold_all_they_can_leave_room_for_one_that_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: as many namespaces as have all places by their shares, which hardly send anything
    monkeypatch.setattr(objects, "AT_ONCE", 20)
    monkeypatch.setattr(objects, "AT_ONCE_PER_TENANT", 5)
    with impatient(tmp_path, monkeypatch) as service, ExitStack() as open_uploads:
        for number in range(8):
            for noisy in ("a", "b", "c", "d"):
                open_uploads.enter_context(slow_upload(service, noisy, f"{noisy}{number}"))
        until(lambda: unfinished(service) == 16)
        # then
        began = time.monotonic()
        assert upload(service, "others") == 201
        assert time.monotonic() - began < shares.WAITS / 2


def test_who_is_at_its_share_waits_and_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(objects, "AT_ONCE_PER_TENANT", 1)
    with impatient(tmp_path, monkeypatch) as service, slow_upload(service, "team", "a") as first:
        until(lambda: unfinished(service) == 1)
        with slow_upload(service, "team", "b") as second:
            # when: the client of the first one is gone
            first.close()
            # then: the second one has the place
            second.sendall(b"y" * (MIB - 1))
            assert second.recv(100).startswith(b"HTTP/1.1 422")  # another content than was signed


def test_who_waits_too_long_is_told_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(objects, "AT_ONCE_PER_TENANT", 1)
    with (
        impatient(tmp_path, monkeypatch, waits=0.2) as service,
        slow_upload(service, "team", "a"),
    ):
        until(lambda: unfinished(service) == 1)
        # when
        with slow_upload(service, "team", "b") as second:
            answer = second.recv(2000).decode()
        # then
        assert answer.startswith("HTTP/1.1 503")
        assert "namespace `team`" in answer and "try again" in answer


def test_an_upload_that_hardly_sends_anything_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    with impatient(tmp_path, monkeypatch, within=0.5) as service:
        slow = slow_upload(service, "team", "a")
        slow.settimeout(0.1)
        answer, deadline = b"", time.monotonic() + 30
        # when: a byte comes now and then
        while not answer and time.monotonic() < deadline:
            slow.send(b"x")
            try:
                answer = slow.recv(1000)
            except TimeoutError:
                continue
        # then
        assert answer.startswith(b"HTTP/1.1 503")
        until(lambda: unfinished(service) == 0)
        slow.close()


def test_a_reader_that_takes_nothing_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a file that is larger than what the kernel takes for a reader
    size = 64 * MIB
    with impatient(tmp_path, monkeypatch, within=0.5) as service:
        with service.storage.of("team").writing("/company/large") as file:
            file.write(bytes(size))
        wanted = OneObject("GET", "team", "/company/large", int(time.time()) + 3600)
        target = url_of(wanted, wanted.signature(service.key))
        with connected(service) as reader:
            reader.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            # when
            time.sleep(2)
            # then: the connection ends before the file does
            came = 0
            try:
                while data := reader.recv(MIB):
                    came += len(data)
            except ConnectionResetError:
                pass
            assert 0 < came < size


async def test_the_pace_counts_only_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr(shares, "WITHIN", 1.0)
    pace = shares.Pace()
    # when: the service itself takes its time
    await asyncio.sleep(1.2)
    async with pace.awaited():
        await asyncio.sleep(0.6)
    # then: a whole piece renews the time, and less does not
    pace.moved(shares.PIECE)
    async with pace.awaited():
        await asyncio.sleep(0.6)
    pace.moved(shares.PIECE - 1)
    with pytest.raises(TimeoutError):
        async with pace.awaited():
            await asyncio.sleep(0.6)


def test_logs_that_nobody_takes_hold_up_no_other_tenant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: as many readers as a tenant may have, which take nothing of a long log
    with impatient(tmp_path, monkeypatch, waits=0.3) as service, ExitStack() as readers:
        archive(service, "team", lines=1500, width=20_000)
        archive(service, "others", lines=1, width=10)
        for _ in range(logs._READERS_PER_TENANT):
            reader = readers.enter_context(connected(service))
            reader.sendall(log_request(service, "team"))
            assert reader.recv(9).startswith(b"HTTP/1.1")
        # when
        other, again = connected(service), connected(service)
        other.sendall(log_request(service, "others"))
        again.sendall(log_request(service, "team"))
        # then
        assert other.recv(100).startswith(b"HTTP/1.1 200")
        assert again.recv(100).startswith(b"HTTP/1.1 503")
        other.close()
        again.close()


def test_many_lists_in_one_request_are_answered_with_no_more_than_some_mib(
    service: Running,
) -> None:
    # given: a namespace with many files, and a request that lists them a thousand times
    names = [f"{number:04}{'x' * 200}" for number in range(3000)]
    fill(service, names)
    body = json.dumps({"operations": [{"do": "list"}] * 1000}).encode()
    # when
    answer = ask(service, body)
    # then: the first ones are done, and the others refused
    answers = json.loads(answer)["answers"]
    assert answers[0] == {"paths": names}
    assert len(answers) == 1000
    assert answers[-1]["error"]["reason"] == "too-large"
    assert "in several requests" in answers[-1]["error"]["message"]
    assert len(answer) < 2 * exchange.LARGEST_ANSWER


def test_a_namespace_with_more_names_than_an_answer_holds_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(exchange, "LARGEST_ANSWER", 1000)
    with running(tmp_path / "storage") as service:
        fill(service, [f"{number}{'x' * 50}" for number in range(30)])
        files = service.client().namespace_files()
        # then
        with pytest.raises(FileTooLarge, match=r"`company\.team`.*keep fewer files there"):
            files.paths()


def test_a_purge_of_more_files_than_an_answer_holds_goes_on_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(exchange, "LARGEST_ANSWER", 1000)
    with running(tmp_path / "storage") as service:
        storage, place = service.storage.of("team"), GRANT.place
        for number in range(40):
            with storage.writing(place.task_file("make", "tr1", f"{number:02}")) as file:
                file.write(b"x")
        # when
        uris = service.client(rights=frozenset({"delete"})).files.purge()
        # then
        assert len(set(uris)) == len(uris) == 40
        assert list(storage.list(place.folder)) == []


def test_nothing_more_is_done_for_a_client_that_has_gone(tmp_path: Path) -> None:
    # given
    storage = Storage.local(str(tmp_path))
    asked = Operations.model_validate({"operations": [{"do": "list"}] * 10})
    there = iter([True, True, True])
    # when: it goes after the third operation
    answer = Exchange(storage, OwnUrls(b"key"), LARGEST, Usage(storage, None)).answer(
        GRANT, asked, lambda: next(there, False)
    )
    # then
    assert len(json.loads(answer)["answers"]) == 3


def test_a_request_that_does_not_come_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with impatient(tmp_path, monkeypatch, within=0.3) as service, connected(service) as slow:
        # given
        service.known.start(GRANT)
        token = GRANT.token(service.key)
        # when
        slow.sendall(
            f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Content-Length: 1000\r\n\r\n{".encode()
        )
        # then
        assert slow.recv(100).startswith(b"HTTP/1.1 503")


def test_a_namespace_at_its_quota_is_told_so_before_a_byte_is_sent(tmp_path: Path) -> None:
    # given
    storage = Storage.local(str(tmp_path / "storage"))
    with serving(storage, LARGEST, quota=3 * MIB) as service:
        files = service.client().files
        files.put("first", io.BytesIO(bytes(2 * MIB)))
        until(lambda: refused(lambda: files.put("second", io.BytesIO(bytes(2 * MIB)))))
        # when
        with pytest.raises(StorageFull) as full:
            files.put("second", io.BytesIO(bytes(2 * MIB)))
        # then: who, how much, and what to do; others have a quota of their own
        for part in ("`team`", "2.00 MiB", "3.00 MiB", "`storage.quotaGib`", "Delete files"):
            assert part in str(full.value)
        assert unfinished(service) == 0
        service.client(tenant="others").files.put("second", io.BytesIO(bytes(2 * MIB)))
        # and a smaller one finds room
        files.put("third", io.BytesIO(b"x"))


def refused(put: Callable[[], object]) -> bool:
    try:
        put()
    except StorageFull:
        return True
    except StorageUnavailable:
        return False
    raise AssertionError("it was written")


async def test_only_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr(shares, "MOST_WAITING_PER_TENANT", 0)
    limited = shares.Shares("files are moved", 1, 1)
    # when
    async with limited.place(Here(), "team"):  # type: ignore[arg-type]
        # then: whoever has room does not wait
        with pytest.raises(StorageUnavailable, match="too many files are moved at once"):
            async with limited.place(Here(), "team"):  # type: ignore[arg-type]
                pass


class Here:
    """A request without a body, whose client is there."""

    body_exists = False

    @property
    def transport(self) -> Here:
        return self

    def is_closing(self) -> bool:
        return False


def archive(service: Running, tenant: str, lines: int, width: int) -> None:
    text = "".join(f"2026-11-21T16:00:00.000000000Z {'x' * width}\n" for _ in range(lines)).encode()
    part = Part(Source("a", "r", 1, None, levels=True), "", "", len(text))
    archived = LogArchive(service.storage.of(tenant), GRANT.place, GRANT.owner)
    archived.write(part, None, io.BytesIO(text))


def log_request(service: Running, tenant: str) -> bytes:
    place: ExecutionPlace = GRANT.place
    path = f"/v1/logs/{tenant}/{place.namespace}/{place.flow}/{place.execution}"
    token = LogToken(tenant, place, GRANT.owner, int(time.time()) + 3600).text(service.key)
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{HEADER}: {token}\r\n\r\n".encode()


def fill(service: Running, names: list[str]) -> None:
    folder = Path(service.storage.of("team").at(f"/company/team/{FILES}"))
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()


def ask(service: Running, body: bytes) -> bytes:
    service.known.start(GRANT)
    headers = {"Authorization": f"Bearer {GRANT.token(service.key)}"}
    request = urllib.request.Request(f"{service.url}/v1/files", body, headers)
    with urllib.request.urlopen(request) as answer:
        text: bytes = answer.read()
    return text
