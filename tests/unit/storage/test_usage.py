"""How many bytes a tenant keeps, and what happens at its quota."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from penstock.storage import usage as counting
from penstock.storage.errors import StorageFull, StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.usage import Usage

MIB = 1024**2


class Walker(Executor):
    """Does what it was given when it is told to."""

    def __init__(self) -> None:
        self._given: list[Callable[[], object]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._given.append(lambda: function(*args, **kwargs))
        return Future()

    def walk(self) -> int:
        """Do all; gives how many walks there were."""
        given, self._given = self._given, []
        for do in given:
            do()
        return len(given)


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Tenants:
    """A storage in which a tenant may keep 10 MiB."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage.local(str(folder))
        self.walker = Walker()
        self.usage = Usage(self.storage, 10 * MIB, self.walker)

    def allow(self, path: str, size: int, tenant: str = "team") -> None:
        self.usage.allow(tenant, path, size)

    def write(self, path: str, size: int, tenant: str = "team") -> None:
        with self.storage.of(tenant).writing(path) as file:
            file.write(bytes(size))


@pytest.fixture
def tenants(tmp_path: Path, clock: Clock) -> Tenants:
    return Tenants(tmp_path)


def test_what_was_there_before_counts(tenants: Tenants) -> None:
    # given
    tenants.write("/company/old", 8 * MIB)
    tenants.allow("/company/a", 1)
    assert tenants.walker.walk() == 1
    # when
    with pytest.raises(StorageFull) as refused:
        tenants.allow("/company/b", 3 * MIB)
    # then: it says who, what, how much, and what to do
    for part in ("kestra:///company/b", "`team`", "8.00 MiB", "3.00 MiB", "10.00 MiB", "quotaGib"):
        assert part in str(refused.value)
    assert "Delete files or executions" in str(refused.value)
    tenants.allow("/company/b", 1 * MIB)


def test_another_tenant_has_a_quota_of_its_own(tenants: Tenants) -> None:
    tenants.allow("/company/a", 9 * MIB)
    tenants.allow("/company/a", 9 * MIB, tenant="others")
    with pytest.raises(StorageFull):
        tenants.allow("/company/b", 11 * MIB, tenant="others")


def test_what_was_allowed_counts_before_it_is_there(tenants: Tenants, clock: Clock) -> None:
    # given: files that were allowed, and did not come yet
    tenants.allow("/company/a", 6 * MIB)
    tenants.walker.walk()
    clock.now += 1
    # then: a walk that does not find them takes nothing back
    with pytest.raises(StorageFull):
        tenants.allow("/company/b", 6 * MIB)
    # but the same file again is one file
    tenants.allow("/company/a", 7 * MIB)


def test_a_file_is_counted_once_after_it_came(tenants: Tenants, clock: Clock) -> None:
    # given
    tenants.allow("/company/a", 6 * MIB)
    tenants.walker.walk()
    tenants.write("/company/a", 6 * MIB)
    clock.now += 100
    # when: it is counted anew, as there may be no room
    with pytest.raises(StorageUnavailable, match="try again"):
        tenants.allow("/company/b", 5 * MIB)
    tenants.walker.walk()
    # then
    tenants.allow("/company/b", 4 * MIB)
    with pytest.raises(StorageFull, match=r"keeps 10\.00 MiB"):
        tenants.allow("/company/c", 1)


def test_who_deleted_files_has_room_again(tenants: Tenants, clock: Clock) -> None:
    # given: a tenant at its quota
    tenants.write("/company/old", 10 * MIB)
    tenants.allow("/company/a", 0)
    tenants.walker.walk()
    with pytest.raises(StorageFull):
        tenants.allow("/company/b", MIB)
    # when
    tenants.storage.of("team").delete("/company/old")
    clock.now += 61
    with pytest.raises(StorageUnavailable):
        tenants.allow("/company/b", MIB)
    tenants.walker.walk()
    # then
    tenants.allow("/company/b", MIB)


def test_a_file_that_never_came_is_forgotten(tenants: Tenants, clock: Clock) -> None:
    # given
    tenants.allow("/company/a", 9 * MIB)
    tenants.walker.walk()
    # when: its URL has expired
    clock.now += 3 * 3600
    with pytest.raises(StorageUnavailable):
        tenants.allow("/company/b", 9 * MIB)
    tenants.walker.walk()
    # then
    tenants.allow("/company/b", 9 * MIB)


def test_an_upload_counts_while_it_goes_on_however_long(tenants: Tenants, clock: Clock) -> None:
    with tenants.usage.written("team", "/company/a", 9 * MIB):
        clock.now += 10 * 3600
        with pytest.raises(StorageUnavailable):
            tenants.allow("/company/b", 9 * MIB)
        tenants.walker.walk()
        with pytest.raises(StorageFull):
            tenants.allow("/company/b", 9 * MIB)


def test_an_upload_that_broke_off_does_not_count(tenants: Tenants) -> None:
    # given
    with pytest.raises(ConnectionError), tenants.usage.written("team", "/company/a", 9 * MIB):
        raise ConnectionError
    # then
    tenants.allow("/company/b", 9 * MIB)


def test_a_count_is_made_anew_in_any_case(tenants: Tenants, clock: Clock) -> None:
    # given
    tenants.allow("/company/a", 1)
    tenants.allow("/company/b", 1)
    assert tenants.walker.walk() == 1
    # when
    clock.now += 3601
    tenants.allow("/company/c", 1)
    # then
    assert tenants.walker.walk() == 1


def test_many_small_files_count_as_the_blocks_that_they_take(tenants: Tenants) -> None:
    for number in range(2560):  # of 4 KiB
        tenants.allow(f"/company/{number}", 0)
        tenants.walker.walk()
    with pytest.raises(StorageFull):
        tenants.allow("/company/one-more", 0)


def test_files_that_are_announced_and_never_sent_take_bounded_memory(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(counting, "MOST_EXPECTED", 100)
    for number in range(100):
        tenants.allow(f"/company/{number}", 0)
    # then
    with pytest.raises(StorageUnavailable):
        tenants.allow("/company/one-more", 0)
    # but the same again is no more than before
    tenants.allow("/company/7", 0)


def test_without_a_quota_nothing_is_counted(tmp_path: Path) -> None:
    # given
    walker = Walker()
    usage = Usage(Storage.local(str(tmp_path)), None, walker)
    # when
    usage.allow("team", "/company/a", 1 << 60)
    # then
    assert walker.walk() == 0


def test_a_storage_that_fails_refuses_nobody_and_is_asked_again(
    tenants: Tenants, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    def fails(self: Storage, folder: str) -> None:
        raise OSError("the disk is away")

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "found", fails)
        tenants.allow("/company/a", 1)
        tenants.walker.walk()
    # when
    tenants.allow("/company/b", 1)
    # then
    assert tenants.walker.walk() == 1


def test_several_threads_share_a_count(tmp_path: Path) -> None:
    # given
    walker = Walker()
    usage = Usage(Storage.local(str(tmp_path)), 100 * 4096, walker)
    usage.allow("team", "/company/0", 1)
    walker.walk()
    allowed: list[int] = []

    def write(first: int) -> None:
        for number in range(first, first + 50):
            try:
                usage.allow("team", f"/company/{number}", 1)
            except StorageFull:
                return
            allowed.append(number)

    # when
    threads = [threading.Thread(target=write, args=(first * 50,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # then
    assert len(allowed) == 100
