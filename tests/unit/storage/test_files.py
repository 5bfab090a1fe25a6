"""The bytes: on a folder of this machine and on any other file system alike."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from penstock.storage.digests import digest_of, digests_of
from penstock.storage.errors import (
    AccessDenied,
    FileDamaged,
    FileMissing,
    StorageError,
    StorageFull,
)
from penstock.storage.execution import ExecutionFiles, NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace


def test_a_file_is_written_read_measured_and_deleted(storage: Storage) -> None:
    # when
    storage.put("/a/b.txt", io.BytesIO(b"first, and longer"))
    storage.put("/a/b.txt", io.BytesIO(b"second"))
    # then
    with storage.open("/a/b.txt") as file:
        assert file.read() == b"second"
    assert storage.size("/a/b.txt") == 6
    assert storage.exists("/a/b.txt")
    assert storage.delete("/a/b.txt")
    assert not storage.delete("/a/b.txt")
    assert not storage.exists("/a/b.txt")


def test_files_are_listed_by_folder_and_nothing_unfinished_is(storage: Storage) -> None:
    # given
    for path in ("/a/z", "/a/b/c", "/ab/c"):
        storage.put(path, io.BytesIO(b"x"))
    # then
    assert list(storage.list("/a/")) == ["/a/b/c", "/a/z"]
    assert list(storage.list("/nothing/")) == []


def test_what_is_not_there_is_said(storage: Storage) -> None:
    with pytest.raises(FileMissing, match="'kestra:///a/b' does not exist"):
        storage.open("/a/b")
    with pytest.raises(FileMissing):
        storage.size("/a/b")


def test_a_store_that_is_away_is_not_taken_for_an_empty_one() -> None:
    # given
    class Away(MemoryFileSystem):  # type: ignore[misc]
        def info(self, path: str, **_: object) -> dict[str, object]:
            raise OSError("nobody answers")

    storage = Storage(Away(), "/storage")
    # then
    for ask in (storage.exists, storage.size, storage.delete):
        with pytest.raises(OSError, match="nobody answers"):
            ask("/a")


@pytest.mark.parametrize("size", [0, 1, 3_000_000, 4_000_000, 4_500_000])
def test_a_file_and_its_parts_are_measured_at_once(size: int) -> None:
    # given
    content = os.urandom(size)
    parts = [content[start : start + 2_000_000] for start in range(0, size, 2_000_000)]
    # when
    whole, found, of_parts = digests_of(io.BytesIO(content), 2_000_000)
    # then
    assert (whole, found) == digest_of(io.BytesIO(content))
    assert of_parts == [hashlib.sha256(part).hexdigest() for part in parts]


def test_a_folder_is_no_file(storage: Storage) -> None:
    # given
    storage.put("/a/b/c", io.BytesIO(b"x"))
    # then
    with pytest.raises(StorageError, match="is a folder"):
        storage.put("/a/b", io.BytesIO(b"x"))
    with pytest.raises(FileMissing):
        storage.size("/a/b")
    assert not storage.delete("/a/b")


def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    # given
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("gone")

    storage = Storage.local(str(tmp_path))
    storage.put("/a/b", io.BytesIO(b"old"))
    # when
    with pytest.raises(OSError, match="gone"):
        storage.put("/a/b", Broken())  # type: ignore[arg-type]
    # then
    assert storage.open("/a/b").read() == b"old"
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["b"]


def test_paths_that_leave_the_storage_are_refused(storage: Storage) -> None:
    for path in ("/../x", "/a/../../x", "x", "//x"):
        with pytest.raises(StorageError):
            storage.put(path, io.BytesIO(b""))


def test_an_execution_keeps_to_its_own_files(storage: Storage) -> None:
    # given
    place = ExecutionPlace("company", "flow", "run-1")
    files = ExecutionFiles(storage, place)
    others = ExecutionFiles(storage, ExecutionPlace("company", "flow", "run-2"))
    # when
    given = files.put_input("data", "a.csv", io.BytesIO(b"in"))
    made = files.put_output("t", "r", "b c.csv", io.BytesIO(b"out"))
    # then
    assert made == "kestra:///company/flow/executions/run-1/tasks/t/r/b%20c.csv"
    assert files.open(made).read() == b"out"
    assert files.size(given) == 2
    for act in (others.open, others.exists, others.delete, others.size):
        with pytest.raises(AccessDenied):
            act(made)
    assert files.purge() == [given, made]
    assert not files.exists(made)


def test_a_child_reads_what_its_parent_made(storage: Storage) -> None:
    # given
    place = ExecutionPlace("company", "caller", "run-0")
    uri = ExecutionFiles(storage, place).put_output("t", "r", "a", io.BytesIO(b"x"))
    # then
    child = ExecutionFiles(storage, ExecutionPlace("company", "callee", "run-1"), [place])
    assert child.open(uri).read() == b"x"


def test_namespace_files_are_found_by_their_path(storage: Storage) -> None:
    # given
    files = NamespaceFiles(storage, "company.team")
    files.put("scripts/a.py", io.BytesIO(b"x"))
    NamespaceFiles(storage, "company.team.sub").put("b.py", io.BytesIO(b"x"))
    # then
    assert files.paths() == ["scripts/a.py"]
    assert files.exists("/scripts/a.py")
    reader = ExecutionFiles(storage, ExecutionPlace("company.team", "f", "e"))
    assert reader.open("nsfile:///scripts/a.py").read() == b"x"


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    # given
    storage = Storage.local(str(tmp_path))
    # when
    full = pytest.raises(StorageFull, match="no space left")
    with full, storage.writing("/a/b") as file:
        file.write(b"x")
        raise OSError(errno.ENOSPC, "no space left on device")
    # then
    assert not list(storage.list("/a/"))


def test_another_digest_than_was_said_is_told(tmp_path: Path) -> None:
    # given
    storage = Storage.local(str(tmp_path))
    storage.put("/a/b", io.BytesIO(b"old"))
    # when
    changed = pytest.raises(FileDamaged, match="changed on its way")
    with changed, storage.writing("/a/b", "0" * 64) as file:
        file.write(b"new")
    # then
    assert (tmp_path / "a/b").read_bytes() == b"old"


def test_the_digest_is_kept_with_the_file(tmp_path: Path) -> None:
    # given
    storage = Storage.local(str(tmp_path))
    # when
    storage.put("/a/b", io.BytesIO(b"content"))
    found = storage.opened("/a/b")
    # then
    assert found.digest == hashlib.sha256(b"content").hexdigest()
    assert found.size == 7
    found.file.close()


def test_what_was_never_ended_is_removed_after_some_time(tmp_path: Path) -> None:
    # given
    storage = Storage.local(str(tmp_path))
    with storage.writing("/a/b") as file:
        file.write(b"x")
        # when
        storage.of("team").discard_unfinished(older_than=60)
        assert list((tmp_path / ".unfinished").iterdir())
    (tmp_path / ".unfinished/left").touch()
    os.utime(tmp_path / ".unfinished/left", (0, 0))
    storage.discard_unfinished(older_than=60)
    # then
    assert not list((tmp_path / ".unfinished").iterdir())
    assert storage.exists("/a/b")
