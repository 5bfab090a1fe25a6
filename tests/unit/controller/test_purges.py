"""What is left in the storage of executions that are gone, and what must never be touched."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.gc import orphaned_files
from penstock.controller.gc.orphaned_files import OrphanedFiles
from penstock.controller.runtime.indexes import ObjectStore
from penstock.storage.arrivals import arrival_path
from penstock.storage.execution import NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace


def execution(name: str, flow: str = "flow", namespace: str = "company.team") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "ns", "name": name, "uid": name, "resourceVersion": "1"},
        "status": {"flow": {"namespace": namespace, "id": flow}},
    }


class Given:
    """A storage with files of executions, of which some are there."""

    def __init__(self, folder: Path, *there: dict[str, Any]) -> None:
        self.root = Storage.local(str(folder))
        self.storage = self.root.of("ns")
        self.executions = ObjectStore()
        for body in there:
            self.executions.put(body)
        self.purges = OrphanedFiles(self.root, self.executions)
        self.before_clear: Callable[[str], None] = lambda folder: None
        """Called in the storage's thread, with the folder that is about to be cleared."""

    def file(self, name: str, flow: str = "flow", namespace: str = "company.team") -> str:
        path = ExecutionPlace(namespace, flow, name).task_file("t", "r", "_files/a.txt")
        self.storage.put(path.replace("_files/", ""), io.BytesIO(b"x"))
        return path.replace("_files/", "")

    def is_busy(self, name: str) -> bool:
        """Whether an execution of this name has to wait."""
        return self.purges.is_busy("ns", ExecutionPlace("company.team", "flow", name))

    def left(self) -> list[str]:
        return list(self.storage.list("/"))

    async def run(self, seconds: float = 0.3) -> None:
        """Until nothing is to be done any more."""
        task = asyncio.create_task(self.purges.run())
        done, _ = await asyncio.wait([task], timeout=seconds)
        assert not done
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def watch(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test see, and hold up, what the storage is told to clear."""
    clear = Storage.clear

    def told(storage: Storage, folder: str, spared: Collection[str] = ()) -> int:
        given.before_clear(folder)
        return clear(storage, folder, spared)

    monkeypatch.setattr(Storage, "clear", told)


async def test_files_go_with_their_execution(tmp_path: Path) -> None:
    # given
    gone, there = execution("gone"), execution("there")
    given = Given(tmp_path, there)
    given.file("gone")
    kept = given.file("there")
    # when
    given.purges.removed(gone)
    assert given.is_busy("gone")
    await given.run()
    # then
    assert given.left() == [kept]
    assert not (tmp_path / "ns/company/team/flow/executions/gone").exists()
    assert not given.is_busy("gone")


async def test_what_was_deleted_unseen_is_found_at_the_start(tmp_path: Path) -> None:
    # given: a tenant with live and dead executions, and what is no execution's
    given = Given(tmp_path, execution("there"))
    kept = given.file("there")
    given.file("dead")
    given.file("dead", "other", "company")
    NamespaceFiles(given.storage, "company.team").put("executions/a/tasks/x", io.BytesIO(b"x"))
    cache = ExecutionPlace("company.team", "flow", "dead").cache_file("c")
    given.storage.put(cache, io.BytesIO(b"x"))
    given.root.put("/.penstock/executions/a/tasks/key", io.BytesIO(b"x"))
    # when
    await given.run()
    # then
    file = "/company/team/_files/executions/a/tasks/x"
    assert given.left() == [file, cache, kept]
    assert list(given.root.list("/.penstock/")) == ["/.penstock/executions/a/tasks/key"]


async def test_a_namespace_that_looks_like_an_execution_stays(tmp_path: Path) -> None:
    # given: the namespace company.executions with a flow, seen as the execution `flow` of company
    given = Given(tmp_path, execution("there", namespace="company.executions"))
    kept = given.file("there", namespace="company.executions")
    NamespaceFiles(given.storage, "company.executions.other").put("a", io.BytesIO(b"x"))
    # when
    await given.run()
    # then
    assert given.left() == [kept, "/company/executions/other/_files/a"]


async def test_a_namesake_keeps_its_files(tmp_path: Path) -> None:
    # given: one was deleted, and one of the same name has begun since
    given = Given(tmp_path, execution("again"))
    kept = given.file("again")
    # when
    given.purges.removed(execution("again"))
    await given.run()
    # then
    assert given.left() == [kept]


async def test_what_is_deleted_while_others_are_cleared_follows_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a storage that is busy with the files of one
    given = Given(tmp_path)
    watch(given, monkeypatch)
    given.file("first")
    given.purges.removed(execution("first"))
    cleared, goes_on = threading.Event(), threading.Event()

    def hold_up(folder: str) -> None:
        if "first" in folder:
            cleared.set()
            assert goes_on.wait(5)

    given.before_clear = hold_up
    running = asyncio.create_task(given.run())
    assert await asyncio.to_thread(cleared.wait, 5)
    # when
    given.file("second")
    given.purges.removed(execution("second"))
    goes_on.set()
    await running
    # then
    assert given.left() == []
    assert not given.is_busy("second")


async def test_files_that_can_not_be_deleted_hold_up_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a storage that refuses once to delete the files of one execution
    monkeypatch.setattr(orphaned_files, "AGAIN", 0.2)
    given = Given(tmp_path)
    watch(given, monkeypatch)
    tried: list[float] = []
    others_left: list[str] = []

    def refuse_once(folder: str) -> None:
        if "stuck" in folder:
            tried.append(time.monotonic())
            others_left.extend(path for path in given.left() if "other" in path)
            if len(tried) == 1:
                others_left.clear()
                raise PermissionError("read-only")

    given.before_clear = refuse_once
    for name in ("stuck", "other"):
        given.file(name)
        given.purges.removed(execution(name))
    # when
    await given.run(0.8)
    # then
    assert given.left() == []
    assert not given.is_busy("stuck")
    first, second = tried
    assert second - first >= 0.2
    assert others_left == []


async def test_one_without_a_place_is_no_trouble(tmp_path: Path) -> None:
    given = Given(tmp_path)
    given.purges.removed({"metadata": {"namespace": "ns", "name": "a"}, "spec": {}})
    given.purges.removed(execution("a", namespace="Not.A_Folder"))
    await given.run()
    assert given.left() == []


def old_path(name: str) -> str:
    """Where a trigger's file lies that came a year ago."""
    place = ExecutionPlace("company.team", "flow", name)
    return f"{place.folder}trigger/20250101T000000Z-{'0' * 16}/messages.ion"


async def test_a_file_of_a_trigger_waits_a_day_for_its_execution(tmp_path: Path) -> None:
    # given: what a trigger got for executions that are not there
    given = Given(tmp_path)
    new = arrival_path(ExecutionPlace("company.team", "flow", "soon"), "messages.ion")
    for path in (new, old_path("never")):
        given.storage.put(path, io.BytesIO(b"x"))
    # when
    await given.run()
    # then
    assert given.left() == [new]
    assert not given.is_busy("soon")


async def test_an_execution_that_still_has_to_begin_keeps_what_its_trigger_got(
    tmp_path: Path,
) -> None:
    # given: one that waits for its turn for long
    waiting = execution("queued") | {"status": {}}
    given = Given(tmp_path, waiting)
    given.storage.put(old_path("queued"), io.BytesIO(b"x"))
    # when
    await given.run()
    # then
    assert given.left() == [old_path("queued")]


async def test_a_trigger_whose_events_start_nothing_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a controller that has run for long
    monkeypatch.setattr(orphaned_files, "SWEPT", 0.05)
    given = Given(tmp_path)
    running = asyncio.create_task(given.purges.run())
    await asyncio.sleep(0.1)
    # when: a file has become old, for which no execution came
    given.storage.put(old_path("never"), io.BytesIO(b"x"))
    # then
    async with asyncio.timeout(20):
        while given.left():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    running.cancel()
