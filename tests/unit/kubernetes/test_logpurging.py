"""Lines are taken out of archived logs, and nothing else changes."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.kubernetes.logs.archive import LogArchive, Part
from penstock.kubernetes.logs.lines import Source
from penstock.kubernetes.logs.purge import ALL, Window, count_lines, purge_lines
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace

PLACE = ExecutionPlace("company.team", "flow", "run-1")


def at(second: int) -> str:
    return f"2026-01-02T12:00:{second:02}.000000000Z"


def window(start: int | None, end: int, *levels: str) -> Window:
    first = None if start is None else datetime(2026, 1, 2, 12, 0, start, tzinfo=UTC)
    return Window.between(first, datetime(2026, 1, 2, 12, 0, end, tzinfo=UTC), frozenset(levels))


class Given:
    """The archive of an execution with the log of one core task."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage.local(str(folder))
        self.archive = LogArchive(self.storage, PLACE, "uid-1")

    def part(self, number: int | None, *lines: tuple[int, str], run: str = "r") -> None:
        source = Source("t", run, 1, levels=True)
        text = "".join(f"{at(second)} {line}\n" for second, line in lines)
        first, last = (at(lines[0][0]), at(lines[-1][0])) if lines else (at(0), at(0))
        part = Part(source, first, last, len(text))
        self.archive.write(part, number, io.BytesIO(text.encode()))

    def left(self) -> list[str]:
        return [entry["message"] for entry in self.archive.entries(lambda key: True)]

    def purged(self, meant: Window) -> int:
        """Purge lines and give their number; a second purge changes nothing."""
        count = count_lines(self.archive, meant)
        purge_lines(self.archive, meant)
        left = self.left()
        assert count_lines(self.archive, meant) == 0
        purge_lines(self.archive, meant)
        assert self.left() == left
        return count


@pytest.fixture
def given(tmp_path: Path) -> Given:
    given = Given(tmp_path)
    given.part(0, (1, "one"), (2, "WARN two"), (3, ""), (3, "three"))
    given.part(1, (4, "DEBUG four"), (5, "five"))
    given.part(None, (6, "ERROR six"))
    return given


def test_all_of_it_goes_and_the_log_stays_ended(given: Given) -> None:
    assert given.purged(ALL) == 7
    assert given.left() == []
    assert given.archive.attempts() == {("r", 1): True}
    assert len(list(given.storage.list("/"))) == 1


@pytest.mark.parametrize(
    ("meant", "count", "left"),
    [
        (window(None, 3), 4, ["four", "five", "six"]),
        (window(4, 9), 3, ["one", "two", "", "three"]),
        (window(2, 4), 4, ["one", "five", "six"]),
        (window(7, 9), 0, ["one", "two", "", "three", "four", "five", "six"]),
        (window(None, 9, "WARN", "ERROR"), 2, ["one", "", "three", "four", "five"]),
    ],
)
def test_lines_go_by_time_and_level(
    given: Given, meant: Window, count: int, left: list[str]
) -> None:
    assert given.purged(meant) == count
    assert given.left() == left


def test_the_log_of_a_running_attempt_is_left(given: Given) -> None:
    given.part(0, (1, "still"), run="running")
    assert given.purged(ALL) == 7
    assert given.left() == ["still"]


@pytest.mark.parametrize(("meant", "left"), [(window(7, 7), []), (window(8, 8), ["log"])])
def test_the_result_at_the_end_is_no_line_and_goes_as_a_whole(
    tmp_path: Path, meant: Window, left: list[str]
) -> None:
    # given
    given = Given(tmp_path)
    result = '{"outputs": {}}'
    size = len(result)
    given.part(
        None,
        (7, "log"),
        (7, f"::penstock-result {size}::"),
        (8, result),
        (8, "::penstock-result-end::"),
    )
    # then
    assert given.purged(meant) == (0 if left else 1)
    assert given.left() == left
