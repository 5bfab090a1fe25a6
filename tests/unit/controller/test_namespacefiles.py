"""Namespace files as a commit has them."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.gitsources.namespacefiles import Folder, Intake, is_namespace_file
from penstock.git import FileHead, Skipped
from penstock.resources.gitsource import FileProblem, GitSourceSpec
from penstock.storage.execution import NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.usage import Usage


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(Storage.local(str(tmp_path)), "company.team", "files", "source")


def take_in(
    folder: Folder, *skipped: Skipped, prune: bool = True, **texts: str | None
) -> list[FileProblem]:
    """A commit with these files below `files/`, in whose names `_` stands for `/`; None: known and
    not read."""
    intake = Intake(folder)
    for item in skipped:
        intake.skip(item)
    for name, text in texts.items():
        path = f"files/{name.replace('_', '/')}"
        if text is None:
            intake.leave(FileHead(path, intake.before[folder.name_of(path)], None))
        else:
            intake.take(FileHead(path, f"hash of {text}", len(text)), BytesIO(text.encode()))
    return intake.end(prune=prune)


def contents(folder: Folder) -> dict[str, str]:
    files = NamespaceFiles(folder.storage, folder.namespace)
    return {path: files.open(path).read().decode() for path in files.paths()}


def test_files_are_there_under_their_path_below_the_folder(folder: Folder) -> None:
    assert take_in(folder, a="1", b_c="2", prune=True) == []
    assert contents(folder) == {"a": "1", "b/c": "2"}


def test_a_changed_file_is_replaced_and_one_that_is_gone_is_deleted(folder: Folder) -> None:
    take_in(folder, a="1", b="2", prune=True)
    take_in(folder, a="3", prune=True)
    assert contents(folder) == {"a": "3"}


def test_without_prune_it_stays_and_is_deleted_later(folder: Folder) -> None:
    take_in(folder, a="1", b="2", prune=True)
    take_in(folder, a="1", prune=False)
    assert contents(folder) == {"a": "1", "b": "2"}
    take_in(folder, a="1", prune=True)
    assert contents(folder) == {"a": "1"}


def test_a_file_that_came_another_way_is_left_alone(folder: Folder) -> None:
    NamespaceFiles(folder.storage, folder.namespace).put("own", BytesIO(b"0"))
    take_in(folder, a="1", prune=True)
    take_in(folder, prune=True)
    assert contents(folder) == {"own": "0"}


def test_what_was_taken_in_is_known_by_its_path_in_the_repository(folder: Folder) -> None:
    take_in(folder, a="1", b_c="2")
    assert folder.known(folder.taken()) == {"files/a": "hash of 1", "files/b/c": "hash of 2"}
    top = Folder(folder.storage, folder.namespace, "", folder.source)
    assert top.known(top.taken()) == {"a": "hash of 1", "b/c": "hash of 2"}


def test_one_file_alone_is_known_by_its_own_path(folder: Folder) -> None:
    one = Folder(folder.storage, folder.namespace, "files/a", folder.source)
    take_in(one, a="1")
    assert one.known(one.taken())["files/a"] == "hash of 1"
    assert contents(one) == {"a": "1"}


def test_what_is_known_stays(folder: Folder) -> None:
    take_in(folder, a="1", b="2")
    take_in(folder, a=None)
    assert contents(folder) == {"a": "1"}


def test_one_that_can_not_be_taken_in_is_told_and_the_others_are(folder: Folder) -> None:
    left_out = Skipped("files/link", "symbolic links are not followed")
    texts: dict[str, Any] = {"a": "1", "x\\y": "2"}
    problems = take_in(folder, left_out, **texts)
    assert [problem.path for problem in problems] == ["files/link", "files/x\\y"]
    assert contents(folder) == {"a": "1"}


def test_files_beyond_the_quota_of_the_tenant_are_told_of_and_not_written(tmp_path: Path) -> None:
    # given: a tenant that may keep two small files, and has one
    root = Storage.local(str(tmp_path))
    usage = Usage(root, 2 * 4096)
    folder = Folder(root.of("team"), "company.team", "files", "source")
    NamespaceFiles(folder.storage, folder.namespace).put("own", BytesIO(b"0"))
    intake = Intake(folder, partial(usage.allow_when_counted, "team"))
    # when
    for name in ("a", "b", "c"):
        intake.take(FileHead(f"files/{name}", f"hash of {name}", 1), BytesIO(b"1"))
    problems = intake.end(prune=True)
    # then
    assert problems[-1].path == "files/c"
    assert "`storage.quotaGib`" in problems[-1].message and "`team`" in problems[-1].message
    assert "c" not in contents(folder)


def test_what_can_not_be_written_stays_as_it_was(folder: Folder) -> None:
    # given
    take_in(folder, a="1")
    # when: it can't be read any more
    take_in(folder, Skipped("files/a", "the file is larger than allowed"))
    # then
    assert contents(folder) == {"a": "1"}


def test_no_file_of_such_a_folder_is_a_flow() -> None:
    spec = GitSourceSpec.model_validate(
        {"url": "http://x/y", "namespaceFiles": [{"namespace": "a", "path": "./files/"}]}
    )
    assert is_namespace_file(spec, "files/flow.yaml")
    assert not is_namespace_file(spec, "files.yaml")
