"""The contract of a storage, on every kind of store: a volume, S3, Google Cloud Storage and Azure.

The stores are real servers on the loopback; no cluster is needed.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from e2e.fixtures.cloudstores import account_key, azurite, fake_gcs
from e2e.fixtures.objectstore import BUCKET, ObjectStore, S3Server, versitygw
from penstock.storage.azure_files import AzureFiles
from penstock.storage.errors import FileDamaged, FileMissing, StorageError, StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.settings import opened
from penstock.tasks.remote.transfer import connect
from tests.fixtures.storageservice import Running, serving

MIB = 1024**2
SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[ObjectStore | S3Server]]] = {
    "s3": versitygw,
    "gs": fake_gcs,
    "az": azurite,
}
NAMES = ["a b", "a#b", "#1", "a?b", "a?versionid=1", "a%20b", "a+b", "ü中", "a&b=c;d", "a*[b]{c}"]

_numbers = itertools.count()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Storage]]:
    """The storage of all tenants, of each kind; its server runs from the first use on."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())

        @cache
        def store(kind: str) -> Storage:
            folder: Path = tmp_path_factory.mktemp(kind) / "files"
            if kind == "volume":
                return Storage.local(str(folder), durable=True)
            server = stack.enter_context(SERVERS[kind](folder))
            for name, value in server.environment.items():
                patch.setenv(name, value)
            return opened(server.settings)

        yield store


@pytest.fixture(params=["volume", *SERVERS])
def everything(request: pytest.FixtureRequest, stores: Callable[[str], Storage]) -> Storage:
    """The storage of all tenants."""
    return stores(request.param)


@pytest.fixture
def storage(everything: Storage) -> Storage:
    """The empty storage of a tenant."""
    return everything.of(f"team-{next(_numbers)}")


@pytest.fixture(params=["volume", *SERVERS, "gs streamed", "az streamed"])
def service(request: pytest.FixtureRequest, stores: Callable[[str], Storage]) -> Iterator[Running]:
    """The storage service, as pods reach it. ``streamed``: where nothing can sign for the store."""
    kind, _, streamed = request.param.partition(" ")
    with serving(stores(kind), 100 * MIB, streamed=bool(streamed)) as service:
        yield service


class Zeros(io.RawIOBase):
    """A stream of zeros, made when they are read."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        count = min(size, self.left)
        self.left -= count
        return bytes(count)


def put(storage: Storage, path: str, content: bytes) -> None:
    storage.put(path, io.BytesIO(content))


def read(storage: Storage, path: str) -> bytes:
    with storage.open(path) as file:
        return file.read()


# --- What the storage itself promises ------------------------------------------------------------


def test_a_file_is_written_replaced_read_measured_and_deleted(storage: Storage) -> None:
    # when
    put(storage, "/a/b", b"first, and longer")
    put(storage, "/a/b", b"second")
    # then
    assert read(storage, "/a/b") == b"second"
    assert (storage.size("/a/b"), storage.exists("/a/b")) == (6, True)
    assert storage.delete("/a/b")
    assert not storage.delete("/a/b")
    assert not storage.exists("/a/b")
    # when
    put(storage, "/empty", b"")
    # then
    assert (read(storage, "/empty"), storage.size("/empty")) == (b"", 0)


def test_what_is_not_there_is_said(storage: Storage) -> None:
    put(storage, "/folder/file", b"x")
    for path in ("/a/b", "/folder"):
        with pytest.raises(FileMissing, match="does not exist"):
            storage.open(path)
        with pytest.raises(FileMissing, match="does not exist"):
            storage.size(path)
        assert not storage.exists(path)
        assert not storage.delete(path)
    with pytest.raises(StorageError, match="is a folder"):
        put(storage, "/folder", b"x")
    assert list(storage.list("/nothing/")) == list(storage.folders("/nothing/")) == []
    assert list(storage.list("/folder/file/")) == []


def test_names_are_taken_as_they_are(storage: Storage) -> None:
    # when
    for name in NAMES:
        put(storage, f"/names/{name}", name.encode())
    # then
    assert list(storage.list("/names/")) == sorted(f"/names/{name}" for name in NAMES)
    for name in NAMES:
        assert read(storage, f"/names/{name}") == name.encode()
        assert storage.size(f"/names/{name}") == len(name.encode())
    assert storage.clear("/names/") == len(NAMES)
    assert list(storage.list("/names/")) == []


def test_a_tenant_and_a_folder_have_their_own_files_only(everything: Storage) -> None:
    # given
    number = next(_numbers)
    one, other = everything.of(f"one-{number}"), everything.of(f"one-{number}0")
    for path in ("/a/b/c", "/a/z", "/ab/c"):
        put(one, path, b"one")
    put(other, "/a/z", b"other")
    # then
    assert list(one.list("/a/")) == ["/a/b/c", "/a/z"]
    assert list(other.list("/a/")) == ["/a/z"]
    assert list(one.folders("/")) == ["a", "ab"]
    assert list(one.folders("/a/")) == ["b"]
    # when
    one.clear("/a/")
    # then
    assert read(one, "/ab/c") == b"one"
    assert read(other, "/a/z") == b"other"


def test_a_large_file_takes_little_memory(storage: Storage) -> None:
    # given
    size = 48 * MIB
    before = _peak(reset=True)
    # when
    storage.put("/large", cast("BinaryIO", Zeros(size)))
    with storage.open("/large") as file:
        count = 0
        while block := file.read(MIB):
            assert not block.strip(b"\0")
            count += len(block)
        file.seek(size - 10)
        end = file.read()
    # then
    assert (count, storage.size("/large"), end) == (size, size, bytes(10))
    assert _peak() - before < 40 * MIB


def test_a_part_of_a_file_is_read(storage: Storage) -> None:
    # given
    content = os.urandom(9 * MIB)
    put(storage, "/a", content)
    # when
    found = storage.opened("/a")
    with found.file as file:
        file.seek(8 * MIB - 3)
        part = file.read(6)
        file.seek(5)
        start = file.read(2)
    # then
    assert part == content[8 * MIB - 3 : 8 * MIB + 3]
    assert start == content[5:7]
    assert found.size == len(content)


def test_a_write_that_breaks_off_leaves_the_old_file(storage: Storage) -> None:
    # given
    put(storage, "/a/b", b"old")
    # when
    broken = pytest.raises(KeyError)
    with broken, storage.writing("/a/b") as file:
        file.write(bytes(9 * MIB))
        raise KeyError
    changed = pytest.raises(FileDamaged)
    with changed, storage.writing("/a/b", "0" * 64) as file:
        file.write(b"other")
    # then
    assert read(storage, "/a/b") == b"old"
    assert list(storage.list("/a/")) == ["/a/b"]


def test_writers_at_once_leave_the_file_of_one_of_them(storage: Storage) -> None:
    # given
    contents = [bytes([number]) * (9 * MIB) for number in range(2)]
    together = threading.Barrier(len(contents))

    def write(content: bytes) -> None:
        with storage.writing("/a", hashlib.sha256(content).hexdigest()) as file:
            file.write(content[: 8 * MIB])
            together.wait()
            file.write(content[8 * MIB :])

    # when
    with ThreadPoolExecutor() as pool:
        errors = [future.exception() for future in [pool.submit(write, one) for one in contents]]
    # then
    assert read(storage, "/a") in contents
    # Azure says so to all but the first; they are to try again.
    assert None in errors
    assert all(error is None or isinstance(error, StorageUnavailable) for error in errors)


def test_a_file_that_is_replaced_is_not_sewn_together(storage: Storage) -> None:
    # given
    old, new = bytes(10 * MIB), b"\1" * (10 * MIB)
    put(storage, "/a", old)
    # when
    with storage.open("/a") as file:
        begun = file.read(MIB)
        put(storage, "/a", new)
        try:
            rest = file.read()
        except OSError:  # the store does not keep what was replaced
            rest = old[MIB:]
    # then
    assert begun + rest == old


def test_a_store_that_refuses_is_not_taken_for_an_empty_one(
    stores: Callable[[str], Storage],
) -> None:
    # given
    right = str(stores("az").filesystem.connection_string)
    wrong = re.sub(r"AccountKey=[^;]*", f"AccountKey={account_key()}", right)
    storage = Storage(AzureFiles(connection_string=wrong), f"az://{BUCKET}/files")
    # then
    for ask in (storage.exists, storage.size, storage.open, storage.delete):
        with pytest.raises(OSError, match="Server failed to authenticate the request"):
            ask("/a")


def test_another_process_sees_what_was_written(everything: Storage, storage: Storage) -> None:
    # given
    put(storage, "/a/b", b"x")
    assert list(storage.list("/a/")) == ["/a/b"]
    # when
    filesystem = everything.filesystem
    filesystem.pipe_file(storage.at("/a/c"), b"yy")
    filesystem.rm_file(storage.at("/a/b"))
    # then
    assert list(storage.list("/a/")) == ["/a/c"]
    assert not storage.exists("/a/b")
    assert storage.size("/a/c") == 2


# --- What a pod gets -----------------------------------------------------------------------------


def test_a_pod_keeps_and_reads_files(service: Running, tmp_path: Path) -> None:
    # given
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(9 * MIB + 1))
    remote = service.client()
    # when
    uri = remote.upload("a #1?b=c%20.bin", source)
    remote.download(uri, back)
    # then
    assert back.read_bytes() == source.read_bytes()
    assert remote.files.size(uri) == 9 * MIB + 1
    # when
    again = remote.files.put("a #1?b=c%20.bin", io.BytesIO(b"again"))
    empty = remote.files.put("empty", io.BytesIO(b""))
    # then
    assert again == uri
    assert remote.files.open(uri).read() == b"again"
    assert remote.files.open(empty).read() == b""
    with pytest.raises(FileMissing):
        remote.files.open(uri.replace("/a%20", "/b%20"))


def test_a_download_goes_on_and_knows_its_digest(service: Running) -> None:
    # given
    content = os.urandom(3 * MIB)
    remote = service.client()
    uri = remote.files.put("a", io.BytesIO(content))
    # when
    source = remote.service.open({"uri": uri}, uri)
    begun = source.read(MIB)
    source._drop()  # the connection breaks
    # then
    assert begun + source.readall() == content
    assert source._digest == hashlib.sha256(content).hexdigest()


def test_a_file_that_changes_on_its_way_is_not_kept(service: Running) -> None:
    # given
    class Changing(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            found = super().seek(offset, whence)
            self.getbuffer()[-1] += 1  # what is sent is never what was measured
            return found

    remote = service.client()
    # when
    with pytest.raises(FileDamaged):
        remote.files.put("changed", Changing(bytes(3 * MIB)))
    # then
    uri = remote.files.put("other", io.BytesIO(b"x"))
    assert not remote.files.exists(uri.replace("/other", "/changed"))


def test_a_url_is_for_one_object_and_one_direction(service: Running) -> None:
    # given
    remote = service.client()
    uri = remote.files.put("one", io.BytesIO(b"one"))
    remote.files.put("two", io.BytesIO(b"two"))
    url = remote.service.operate("get", {"uri": uri})["url"]
    new = remote.service.operate("put", {"name": "new"}, size=3, sha256="0" * 64)
    # then
    assert asked("GET", url) == 200
    if "X-Goog-Signature=" in url:
        pytest.skip("the server checks none: tests/unit/storage/test_google_urls.py does")
    assert asked("PUT", url, b"new", {"x-ms-blob-type": "BlockBlob"}) == 403
    assert asked("DELETE", url) in (403, 405)
    assert asked("GET", url.replace("/one?", "/two?")) == 403
    assert asked("GET", url[:-1] + ("0" if url[-1] != "0" else "1")) == 403
    assert asked("GET", url.partition("?")[0]) in (403, 404)
    assert asked("GET", new["url"]) in (403, 405)
    assert asked("DELETE", new["url"]) in (403, 405)


def test_a_file_that_somebody_wrote_meanwhile_is_replaced(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    remote, other = service.client(), service.client()
    operate, late = remote.service.operate, [b"theirs"]

    def overtaken(do: str, place: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer = operate(do, place, **more)
        if late:
            other.files.put("a", io.BytesIO(late.pop()))
        return answer

    monkeypatch.setattr(remote.service, "operate", overtaken)
    # when
    uri = remote.files.put("a", io.BytesIO(b"mine"))
    # then
    assert other.files.open(uri).read() == b"mine"


def test_writers_of_a_namespace_file_at_once_both_come_through(service: Running) -> None:
    # given
    contents = [b"one" * MIB, b"other" * MIB]
    remotes = [service.client(rights=frozenset({"namespaces"})) for _ in contents]

    def write(number: int) -> str:
        files = remotes[number].namespace_files("company.team")
        return files.put("shared", io.BytesIO(contents[number]))

    # when
    with ThreadPoolExecutor() as pool:
        uris = set(pool.map(write, range(len(contents))))
    # then
    assert remotes[0].files.open(uris.pop()).read() in contents
    assert not uris


def asked(method: str, url: str, body: bytes | None = None, headers: Any = None) -> int:
    """The status that a URL is answered with."""
    connection, target = connect(url)
    connection.request(method, target, body, headers or {})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def _peak(*, reset: bool = False) -> int:
    """The most memory that this process had, since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
