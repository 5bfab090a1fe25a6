"""Whose the folder of a tenant is, and what becomes of the files of whoever had it before."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from penstock.storage.errors import StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.owner import MARKER, Owner, claim, owner_of

FIRST = Owner("uid-1", "here")
SECOND = replace(FIRST, uid="uid-2")


@pytest.fixture
def team(tmp_path: Path) -> Storage:
    return Storage.local(str(tmp_path)).of("team")


def files(storage: Storage) -> list[str]:
    return [path for path in storage.list("/") if path != MARKER]


def put(storage: Storage, *paths: str) -> None:
    for path in paths:
        storage.put(path, BytesIO(b"x"))


def test_the_files_of_an_earlier_owner_are_deleted(team: Storage) -> None:
    # given
    assert not claim(team, FIRST)
    put(team, "/company/_files/secret", "/company/flow/cache/a.tar", "/company/_kv/x")
    # when
    is_left = claim(team, SECOND)
    # then
    assert is_left
    assert files(team) == []
    assert owner_of(team) == SECOND
    assert team.folders("/") == []


def test_the_owner_finds_its_files_again(team: Storage) -> None:
    # given
    claim(team, FIRST)
    put(team, "/company/_files/a")
    # then
    assert not claim(team, FIRST)
    assert files(team) == ["/company/_files/a"]


def test_a_folder_without_a_mark_is_taken_over(team: Storage) -> None:
    # given: what an installation wrote that did not mark folders
    put(team, "/company/_files/a")
    # then
    assert not claim(team, FIRST)
    assert files(team) == ["/company/_files/a"]
    assert owner_of(team) == FIRST


def test_a_copy_that_came_to_another_cluster_is_taken_over(team: Storage) -> None:
    # given
    claim(team, FIRST)
    put(team, "/company/_files/a")
    # then
    assert not claim(team, Owner("uid-1-there", "there"))
    assert files(team) == ["/company/_files/a"]


def test_a_deletion_that_was_stopped_goes_on(
    team: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: the first deletion works, and the second is the last thing that is seen of the process
    claim(team, FIRST)
    put(team, "/company/_files/a", "/company/_files/b")
    delete, done = Storage.delete, list[str]()

    def dies(self: Storage, path: str) -> bool:
        if done:
            raise KeyboardInterrupt
        done.append(path)
        return delete(self, path)

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "delete", dies)
        with pytest.raises(KeyboardInterrupt):
            claim(team, SECOND)
    assert len(files(team)) == 1
    # when
    claim(team, SECOND)
    # then
    assert files(team) == []
    assert owner_of(team) == SECOND


def test_a_mark_that_says_nothing_leaves_all_as_it_is(team: Storage) -> None:
    # given
    put(team, "/company/_files/a")
    team.put(MARKER, BytesIO(b"?"))
    # then
    with pytest.raises(StorageUnavailable, match="delete it to leave the folder"):
        claim(team, FIRST)
    assert files(team) == ["/company/_files/a"]


def test_other_tenants_keep_theirs(tmp_path: Path) -> None:
    # given
    root = Storage.local(str(tmp_path))
    claim(root.of("team"), FIRST)
    put(root.of("team-2"), "/company/_files/a")
    # when
    claim(root.of("team"), SECOND)
    # then
    assert files(root.of("team-2")) == ["/company/_files/a"]
