"""Logs are kept in parts, and read in the order of time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from penstock.kubernetes.logs.archive import LogArchive, Part
from penstock.kubernetes.logs.lines import Source
from penstock.storage.execution import ExecutionFiles
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace

PLACE = ExecutionPlace("company.team", "f", "f-1")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.local(str(tmp_path)).of("team")


@pytest.fixture
def archive(storage: Storage) -> LogArchive:
    return LogArchive(storage, PLACE, "uid-1")


def at(second: int) -> str:
    return f"2026-11-21T16:00:{second:02}.000000000Z"


def keep(archive: LogArchive, source: Source, number: int | None, *seconds: int) -> None:
    text = "".join(f"{at(second)} {source.task}{second}\n" for second in seconds).encode()
    part = Part(source, at(seconds[0]), at(seconds[-1]), len(text))
    archive.write(part, number, io.BytesIO(text))


def messages(archive: LogArchive, **chosen: Any) -> list[str]:
    return [entry["message"] for entry in archive.entries(lambda key: True)]


A, B = Source("a", "ra", 1), Source("b", "rb", 1)


def test_entries_of_several_tasks_are_in_the_order_of_time(archive: LogArchive) -> None:
    keep(archive, B, None, 2, 4, 9)
    keep(archive, A, 0, 1, 3)
    keep(archive, A, None, 5, 8)
    assert messages(archive) == ["a1", "b2", "a3", "b4", "a5", "a8", "b9"]


def test_an_entry_says_whose_it_is(archive: LogArchive) -> None:
    keep(archive, Source("t", "r", 2, "v"), None, 7)
    assert list(archive.entries(lambda key: True)) == [
        {
            "timestamp": at(7),
            "level": "INFO",
            "message": "t7",
            "taskId": "t",
            "taskRunId": "r",
            "attempt": 2,
            "value": "v",
        }
    ]


def test_many_logs_are_read_some_at_a_time(archive: LogArchive) -> None:
    for number in range(40):
        keep(archive, Source(f"t{number}-", f"r{number}", 1), None, 1, 2, number + 3)
    assert sorted(messages(archive)) == sorted(
        f"t{number}-{second}" for number in range(40) for second in (1, 2, number + 3)
    )


def test_only_what_is_wanted_is_read(archive: LogArchive) -> None:
    keep(archive, A, None, 1)
    keep(archive, B, None, 2)
    assert [entry["taskId"] for entry in archive.entries(lambda key: key == ("rb", 1))] == ["b"]


def test_it_is_known_what_is_there(archive: LogArchive) -> None:
    # given
    keep(archive, A, 0, 1, 3)
    keep(archive, A, 1, 5)
    keep(archive, B, None, 2)
    # then
    assert archive.attempts() == {("ra", 1): False, ("rb", 1): True}
    count, last = archive.parts(("ra", 1))
    assert count == 2
    assert last is not None
    assert last.last == at(5)
    assert archive.parts(("rc", 1)) == (0, None)
    assert archive.has_ended(("rb", 1))
    assert not archive.has_ended(("ra", 1))


def test_a_log_is_no_file_of_the_execution(storage: Storage, archive: LogArchive) -> None:
    keep(archive, A, None, 1)
    (path,) = storage.list(PLACE.folder)
    files = ExecutionFiles(storage, PLACE)
    with pytest.raises(Exception, match="didn't belong"):
        files.open(f"kestra://{path}")
    assert files.purge() == []
    assert messages(archive) == ["a1"]
    archive.delete()
    assert list(storage.list(PLACE.folder)) == []


def test_what_is_damaged_is_passed_over(storage: Storage, archive: LogArchive) -> None:
    keep(archive, A, None, 1)
    storage.put(f"{PLACE.folder}logs/rx.1.end.log", io.BytesIO(b"no header\nx\n"))
    storage.put(f"{PLACE.folder}logs/other", io.BytesIO(b""))
    assert messages(archive) == ["a1"]


def test_each_execution_of_a_name_has_its_own_logs(storage: Storage, archive: LogArchive) -> None:
    # given
    later = LogArchive(storage, PLACE, "uid-2")
    keep(archive, A, None, 1)
    keep(later, B, None, 2)
    # then
    assert messages(archive) == ["a1"]
    assert messages(later) == ["b2"]
    assert messages(LogArchive(storage, PLACE)) == ["a1", "b2"]
    # when
    archive.delete()
    # then
    assert messages(LogArchive(storage, PLACE)) == ["b2"]


def test_logs_of_versions_before_are_read_until_they_are_archived_anew(
    storage: Storage, archive: LogArchive
) -> None:
    # given: parts that lie in no folder of an Execution
    keep(archive, A, 0, 1)
    keep(archive, A, 1, 3)
    keep(archive, B, None, 2)
    for path in list(storage.list(f"{PLACE.folder}logs/")):
        with storage.open(path) as part:
            storage.put(path.replace("uid-1/", ""), io.BytesIO(part.read()))
    archive.delete()
    assert messages(archive) == ["a1", "b2", "a3"]
    # when
    keep(archive, A, None, 1, 3, 4)
    # then
    assert messages(archive) == ["a1", "b2", "a3", "a4"]
