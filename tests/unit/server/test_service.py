"""The storage service and its client, over HTTP."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from penstock.storage.errors import (
    AccessDenied,
    FileDamaged,
    FileMissing,
    FileTooLarge,
    StorageError,
)
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.remote import uploading
from tests.fixtures.storageservice import GRANT, LARGEST, Running

OWN = "kestra:///company/team/flow/executions/run-1/tasks/make/tr1/"


def test_a_file_goes_there_and_comes_back(service: Running, tmp_path: Path) -> None:
    # given
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(3_000_001))
    remote = service.client()
    # when
    uri = remote.upload("out/a b.bin", source)
    remote.download(uri, back)
    # then
    assert uri == f"{OWN}out/a%20b.bin"
    assert back.read_bytes() == source.read_bytes()
    assert remote.files.size(uri) == 3_000_001
    assert remote.files.exists(uri)


@pytest.mark.parametrize("content", [b"", b"x"])
def test_small_files_go_through(service: Running, content: bytes) -> None:
    # when
    files = service.client().files
    uri = files.put("small", io.BytesIO(content))
    # then
    with files.open(uri) as file:
        assert file.read() == content


def test_a_stream_that_can_not_be_read_twice_is_put(service: Running) -> None:
    # given
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe")
    os.close(writing)
    files = service.client().files
    # when
    with os.fdopen(reading, "rb") as source:
        uri = files.put("piped", source)
    # then
    with files.open(uri) as file:
        assert file.read() == b"through a pipe"


def test_what_is_not_there_is_said_at_once(service: Running, tmp_path: Path) -> None:
    # given
    remote = service.client()
    # then
    with pytest.raises(FileMissing, match="does not exist"):
        remote.files.open(f"{OWN}nothing")
    with pytest.raises(FileMissing):
        remote.download(f"{OWN}nothing", tmp_path / "to")
    assert not (tmp_path / "to").exists()
    assert not remote.files.exists(f"{OWN}nothing")
    with pytest.raises(FileMissing):
        remote.files.size(f"{OWN}nothing")


def test_an_execution_reads_its_own_files_and_those_of_who_called_it(service: Running) -> None:
    # given
    parent = service.client(place=GRANT.parents[0], parents=(), job="job-0")
    other = service.client(place=ExecutionPlace("company.team", "flow", "run-2"), job="job-2")
    of_parent = parent.files.put("a", io.BytesIO(b"parent"))
    of_other = other.files.put("a", io.BytesIO(b"other"))
    mine = service.client().files
    # then
    with mine.open(of_parent) as file:
        assert file.read() == b"parent"
    for doing in (mine.open, mine.size, mine.exists):
        with pytest.raises(AccessDenied, match="didn't belong to the current execution"):
            doing(of_other)


def test_another_tenant_is_another_world(service: Running) -> None:
    # given
    uri = service.client().files.put("a", io.BytesIO(b"secret"))
    # when
    same_elsewhere = service.client(tenant="others").files
    # then
    with pytest.raises(FileMissing):
        same_elsewhere.open(uri)


@pytest.mark.parametrize(
    "uri",
    [
        f"{OWN}../../../../run-2/tasks/a/b/c",
        f"{OWN}%2e%2e/%2e%2e/x",
        f"{OWN}..%2f..%2fx",
        "kestra:///.penstock/key",
        "kestra://team/company/team/flow/executions/run-1/tasks/a",
        "file:///etc/passwd",
        "nsfile:///../../../.penstock/key",
    ],
)
def test_tricks_with_paths_are_refused(service: Running, uri: str) -> None:
    with pytest.raises(StorageError):
        service.client().files.open(uri)


@pytest.mark.parametrize("name", ["../other/x", "a/../../x", "/abs", "a//b", "", "."])
def test_a_file_is_put_below_the_task_run_alone(service: Running, name: str) -> None:
    with pytest.raises(StorageError, match="is not the path of a file"):
        service.client().files.put(name, io.BytesIO(b"x"))


def test_what_a_grant_does_not_say_is_refused(service: Running) -> None:
    # given
    plain = service.client()
    uri = plain.files.put("a", io.BytesIO(b"x"))
    # then
    with pytest.raises(AccessDenied, match="`delete`"):
        plain.files.delete(uri)
    with pytest.raises(AccessDenied, match="`delete`"):
        plain.files.purge()
    with pytest.raises(AccessDenied, match="`namespaces`"):
        plain.namespace_files().put("a", io.BytesIO(b"x"))
    with pytest.raises(AccessDenied, match="`other` are not open"):
        plain.namespace_files("other").paths()
    # when
    able = service.client(rights=frozenset({"delete"})).files
    # then
    assert able.delete(uri)
    assert not able.delete(uri)


def test_purge_takes_the_executions_own_files(service: Running) -> None:
    # given
    able = service.client(rights=frozenset({"delete"})).files
    other = service.client(place=ExecutionPlace("company.team", "flow", "run-2"), job="job-2")
    uris = [able.put(name, io.BytesIO(b"x")) for name in ("a", "b/c")]
    stays = other.files.put("a", io.BytesIO(b"x"))
    # then
    assert able.purge() == uris
    assert other.files.exists(stays)


def test_namespace_files_are_read_by_all_and_written_by_right(service: Running) -> None:
    # given
    able = service.client(rights=frozenset({"namespaces"}))
    # when
    uri = able.namespace_files().put("conf/a.yml", io.BytesIO(b"a: 1"))
    able.namespace_files("other").put("b", io.BytesIO(b"b"))
    # then
    plain = service.client()
    assert uri == "kestra:///company/team/_files/conf/a.yml"
    assert plain.namespace_files().paths() == ["conf/a.yml"]
    with plain.namespace_files().open("conf/a.yml") as file:
        assert file.read() == b"a: 1"
    with plain.files.open("nsfile:///conf/a.yml") as file:
        assert file.read() == b"a: 1"
    with pytest.raises(AccessDenied):
        plain.files.open("nsfile://other/b")
    able = service.client(rights=frozenset({"namespaces"}))
    with able.files.open("nsfile://other/b") as file:
        assert file.read() == b"b"
    assert able.namespace_files("other").delete("b")
    assert not able.namespace_files("other").exists("b")


def test_a_grant_is_worth_nothing_without_its_job(service: Running) -> None:
    # given
    lost = service.client(job="lost").files
    service.known.jobs.clear()
    ended = service.client(job="ended").files
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    service.known.jobs["team", "ended"]["status"] = done
    other = service.client(job="other").files
    service.known.start(replace(GRANT, job="other", owner="uid-2"))
    # then
    for files, why in ((lost, "is gone"), (ended, "has ended"), (other, "another task's")):
        with pytest.raises(AccessDenied, match=why):
            files.exists(f"{OWN}a")


def test_a_grant_that_was_changed_or_is_over_is_refused(service: Running) -> None:
    # given
    remote = service.client()
    token = GRANT.token(b"another key")
    # when
    remote.service._grant = token
    # then
    with pytest.raises(AccessDenied, match="signature is not right"):
        remote.files.exists(f"{OWN}a")
    over = service.client(expires=datetime.now(UTC) - timedelta(seconds=2))
    with pytest.raises(AccessDenied, match="has expired"):
        over.files.exists(f"{OWN}a")
    remote.service._grant = ""
    with pytest.raises(AccessDenied, match="signature is not right"):
        remote.files.exists(f"{OWN}a")


def test_a_file_over_the_limit_is_refused(service: Running, tmp_path: Path) -> None:
    # given
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(LARGEST + 1)
    # then
    with pytest.raises(FileTooLarge, match=r"maxFileGib"):
        service.client().upload("large", large)


def test_a_file_that_is_damaged_in_the_storage_is_not_taken(
    service: Running, tmp_path: Path
) -> None:
    # given
    files = service.client().files
    uri = files.put("a", io.BytesIO(b"what was written"))
    kept = next((tmp_path / "storage/team").rglob("a"))
    with kept.open("r+b") as file:
        file.write(b"WHAT")
    # then
    with pytest.raises(FileDamaged, match="is damaged"):
        service.client().download(uri, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_file_that_changes_while_it_is_uploaded_is_not_kept(service: Running) -> None:
    # given
    class Changing(io.BytesIO):
        was_measured = False

        def read(self, size: int | None = -1) -> bytes:
            self.was_measured = True
            return super().read(size)

        def seek(self, offset: int, whence: int = 0) -> int:
            if self.was_measured:
                self.getbuffer()[0:1] = b"!"
            return super().seek(offset, whence)

    files = service.client().files
    # then
    with pytest.raises(FileDamaged, match="changed on its way"):
        files.put("changing", Changing(b"as it was"))
    assert not files.exists(f"{OWN}changing")


def test_a_volume_takes_large_files_as_one(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(uploading, "LARGE", 10)
    remote = service.client()
    # when
    uri = remote.files.put("large", io.BytesIO(b"more than ten bytes"))
    # then
    with remote.files.open(uri) as file:
        assert file.read() == b"more than ten bytes"
    for do in ("begin", "part", "complete", "abort"):
        with pytest.raises(StorageError, match="takes no uploads in parts"):
            remote.service.operate(do, {"name": "a"}, size=1, sha256="0" * 64, upload="x", number=1)
