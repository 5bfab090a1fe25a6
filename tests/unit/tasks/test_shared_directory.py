"""The cache of a WorkingDirectory and its end, against a storage service that runs."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.tasks.contract.plan import Plan, SharedDirectory
from penstock.tasks.contract.pod_folders import PodFolders
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.files import shared_directory
from penstock.tasks.files.archives import pack, unpack
from penstock.tasks.pod.working_directory_close import close
from penstock.tasks.remote.storage import Remote
from tests.fixtures.storageservice import GRANT, Running, running
from tests.unit.tasks.test_staging import ORIGIN, OWN


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "storage") as service:
        yield service


@pytest.fixture
def folders(tmp_path: Path) -> PodFolders:
    base = tmp_path / "pod"
    base.mkdir()
    return PodFolders(base)


def shared(left_by: list[str] | None = None, **properties: Any) -> SharedDirectory:
    return SharedDirectory("wd1", left_by or [], properties=properties)


def left(remote: Remote, work: Path) -> str:
    """The URI of what a task has left."""
    named = SharedDirectory("wd1", [], ".penstock/directory-1.tar")
    shared_directory.leave(named, work, work.parent, remote)
    return f"{OWN}.penstock/directory-1.tar"


def test_the_end_keeps_the_output_files(service: Running, folders: PodFolders) -> None:
    # given
    remote = service.client()
    folders.make()
    (folders.work / "a.txt").write_text("a")
    uri = left(remote, folders.work)
    (folders.work / "a.txt").unlink()
    # when
    result = close(Plan(ORIGIN, shared=shared([uri], outputFiles='["*.txt"]')), folders, remote)
    # then
    assert result.outputs == {"outputFiles": {"a.txt": f"{OWN}a.txt"}}


def test_a_file_that_nobody_made_fails_the_end(service: Running, folders: PodFolders) -> None:
    plan = Plan(ORIGIN, shared=shared(outputFiles=["a.txt"]))
    with pytest.raises(TaskFailure, match=r"made no file `a\.txt`"):
        close(plan, folders, service.client())


def test_after_a_failure_nothing_is_missed(service: Running, folders: PodFolders) -> None:
    directory = SharedDirectory("wd1", failed=True, properties={"outputFiles": ["a.txt"]})
    result = close(Plan(ORIGIN, shared=directory), folders, service.client())
    assert result.outputs == {"outputFiles": {}}


@pytest.mark.parametrize(("ttl", "kept"), [(None, True), (3600, True), (0, False)])
def test_a_cache_is_there_for_the_next_execution(
    service: Running, folders: PodFolders, tmp_path: Path, ttl: int | None, kept: bool
) -> None:
    # given
    cache = {"patterns": ["deps/**"], "ttl": ttl}
    folders.make()
    (folders.work / "deps/x").mkdir(parents=True)
    (folders.work / "deps/x/lib").write_text("cached")
    (folders.work / "other").write_text("not cached")
    remote = service.client()
    close(Plan(ORIGIN, shared=shared([left(remote, folders.work)], cache=cache)), folders, remote)
    # when
    place = type(GRANT.place)("company.team", "flow", "run-2")
    work = tmp_path / "next"
    work.mkdir()
    plan = Plan(ORIGIN, shared=shared(cache=cache))
    shared_directory.enter(plan, work, service.client(place=place))
    # then
    found = [path.name for path in work.rglob("*") if path.is_file()]
    assert found == (["lib"] if kept else [])


def test_another_flow_has_another_cache(
    service: Running, folders: PodFolders, tmp_path: Path
) -> None:
    folders.make()
    (folders.work / "lib").touch()
    cache = {"patterns": ["*"], "ttl": None}
    shared_directory.save_cache(shared(cache=cache), folders.work, folders.run, service.client())
    place = type(GRANT.place)("company.team", "other", "run-1")
    work = tmp_path / "next"
    work.mkdir()
    plan = Plan(ORIGIN, shared=shared(cache=cache))
    shared_directory.enter(plan, work, service.client(place=place))
    assert list(work.iterdir()) == []


def archive_of(*members: tarfile.TarInfo) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    made.seek(0)
    return made


def member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, linkname
    made.size = 1 if kind == tarfile.REGTYPE else 0
    return made


@pytest.mark.parametrize(
    "members",
    [
        [member("../out")],
        [member("/out")],
        [member("a/../../out")],
        [member("a", tarfile.SYMTYPE, ".."), member("a/out")],
        [member("a", tarfile.LNKTYPE, "../secret")],
        [member("pipe", tarfile.FIFOTYPE)],
        [member("device", tarfile.CHRTYPE)],
    ],
)
def test_nothing_leaves_the_directory(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    directory = tmp_path / "work"
    directory.mkdir()
    (tmp_path / "secret").write_text("secret")
    with pytest.raises((TaskFailure, OSError)):
        unpack(archive_of(*members), directory)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret", "work"]


def test_a_damaged_archive_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(TaskFailure, match="can't be put back"):
        unpack(io.BytesIO(b"no archive" * 200), tmp_path)


def test_links_are_kept_and_never_followed(tmp_path: Path) -> None:
    # given
    directory, back, secret = tmp_path / "work", tmp_path / "back", tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("secret")
    for folder in (directory, back):
        folder.mkdir()
    (directory / "folder").symlink_to(secret)
    (directory / "file").symlink_to(secret / "file")
    os.mkfifo(directory / "pipe")
    archive = io.BytesIO()
    # when
    notes = pack(directory, archive)
    archive.seek(0)
    unpack(archive, back)
    # then
    assert notes == ["`pipe` is neither a file nor a folder: it is not kept"]
    assert {path.name: os.readlink(path) for path in back.iterdir()} == {
        "folder": str(secret), "file": str(secret / "file"),
    }  # fmt: skip
    assert b"secret\n" not in archive.getvalue()
