"""Namespace files as a commit has them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from penstock.controller.gitsources.namespacefiles import Folder, is_namespace_file
from penstock.git import Skipped, Snapshot, SourceFile
from penstock.resources.gitsource import GitSourceSpec
from penstock.storage.execution import NamespaceFiles
from penstock.storage.files import Storage


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(Storage.local(str(tmp_path)), "company.team", "files", "source")


def commit(**contents: str | None) -> Snapshot:
    """Files below `files/`, in whose names `_` stands for `/`; None: known and not read."""
    files = tuple(
        SourceFile(
            f"files/{name.replace('_', '/')}",
            f"hash of {name}" if text is None else f"hash of {text}",
            None if text is None else text.encode(),
        )
        for name, text in contents.items()
    )
    return Snapshot("c" * 40, files, ())


def contents(folder: Folder) -> dict[str, str]:
    files = NamespaceFiles(folder.storage, folder.namespace)
    return {path: files.open(path).read().decode() for path in files.paths()}


def test_files_are_there_under_their_path_below_the_folder(folder: Folder) -> None:
    assert folder.take_in(commit(a="1", b_c="2"), prune=True) == []
    assert contents(folder) == {"a": "1", "b/c": "2"}


def test_a_changed_file_is_replaced_and_one_that_is_gone_is_deleted(folder: Folder) -> None:
    folder.take_in(commit(a="1", b="2"), prune=True)
    folder.take_in(commit(a="3"), prune=True)
    assert contents(folder) == {"a": "3"}


def test_without_prune_it_stays_and_is_deleted_later(folder: Folder) -> None:
    folder.take_in(commit(a="1", b="2"), prune=True)
    folder.take_in(commit(a="1"), prune=False)
    assert contents(folder) == {"a": "1", "b": "2"}
    folder.take_in(commit(a="1"), prune=True)
    assert contents(folder) == {"a": "1"}


def test_a_file_that_came_another_way_is_left_alone(folder: Folder) -> None:
    NamespaceFiles(folder.storage, folder.namespace).put("own", BytesIO(b"0"))
    folder.take_in(commit(a="1"), prune=True)
    folder.take_in(commit(), prune=True)
    assert contents(folder) == {"own": "0"}


def test_content_is_wanted_of_a_file_that_only_moved(folder: Folder) -> None:
    folder.take_in(commit(a="1"), prune=True)
    moved = Snapshot("d" * 40, (SourceFile("files/b", "hash of 1", None),), ())
    same = Snapshot("d" * 40, (SourceFile("files/a", "hash of 1", None),), ())
    assert folder.lacks(moved)
    assert not folder.lacks(same)


def test_one_that_can_not_be_taken_in_is_told_and_the_others_are(folder: Folder) -> None:
    files = commit(a="1", **{"x\\y": "2"})
    left_out = Skipped("files/link", "symbolic links are not followed")
    problems = folder.take_in(Snapshot(files.commit, files.files, (left_out,)), prune=True)
    assert [problem.path for problem in problems] == ["files/link", "files/x\\y"]
    assert contents(folder) == {"a": "1"}


def test_no_file_of_such_a_folder_is_a_flow() -> None:
    spec = GitSourceSpec.model_validate(
        {"url": "http://x/y", "namespaceFiles": [{"namespace": "a", "path": "./files/"}]}
    )
    assert is_namespace_file(spec, "files/flow.yaml")
    assert not is_namespace_file(spec, "files.yaml")
