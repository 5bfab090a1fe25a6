"""The lines of a container's log that are the task's, and their levels."""

from __future__ import annotations

import pytest

from penstock.kubernetes.logs.lines import LineReader, is_stamped, note, stamped
from penstock.tasks.contract.framing import BEGIN_MARK, END_MARK

T = "2026-11-21T16:29:51.000000001Z"


def read(*texts: str, levels: bool = False) -> list[tuple[str, str]]:
    raw = [f"{T} {text}\n".encode() for text in texts]
    return [(line.level, line.message) for line in LineReader(levels).read_all(raw)]


def test_a_script_says_everything_in_info() -> None:
    assert read("a", "ERROR b", "") == [("INFO", "a"), ("INFO", "ERROR b"), ("INFO", "")]


def test_a_core_task_says_its_level() -> None:
    found = read("a", "WARN b", "ERROR", "DEBUG  c", "INFO WARN d", levels=True)
    assert found == [
        ("INFO", "a"),
        ("WARN", "b"),
        ("INFO", "ERROR"),
        ("DEBUG", " c"),
        ("INFO", "WARN d"),
    ]


def test_a_script_may_say_a_level_by_a_line_of_logs() -> None:
    line = '::{"logs":[{"level":"warn","message":"w"},{"message":"i"},{"level":"x","message":3}]}::'
    assert read("a", line) == [("INFO", "a"), ("WARN", "w"), ("INFO", "i"), ("INFO", "3")]


@pytest.mark.parametrize(
    "line",
    [
        '::{"logs":3}::',
        '::{"logs":[3]}::',
        '::{"logs":[{}]}::',
        '::{"logs"}::',
        '::{"outputs":{}}::',
    ],
)
def test_other_lines_of_values_are_shown_as_they_are(line: str) -> None:
    assert read(line) == [("INFO", line)]


def test_a_result_at_the_end_is_no_part_of_the_log() -> None:
    payload = ['::{"outputs":{"ä":1}}::', '::{"outputs":{"b":2}}::']
    size = sum(len(line.encode()) + 1 for line in payload)
    found = read("a", "", "", f"{BEGIN_MARK}{size}::", *payload, END_MARK)
    assert found == [("INFO", "a"), ("INFO", "")]


def test_a_mark_of_its_own_hides_no_more_of_a_log_than_it_says() -> None:
    assert read(f"{BEGIN_MARK}3::", "abc", "d") == []
    assert read(f"{BEGIN_MARK}3::", "abc", "d", "e") == [("INFO", "e")]
    assert read(f"{BEGIN_MARK}x::") == [("INFO", f"{BEGIN_MARK}x::")]


def test_a_note_of_penstock_is_a_warning() -> None:
    (line,) = LineReader(False).read_all([note(T, "cut")])
    assert (line.at, line.level, line.message) == (T, "WARN", "cut")


@pytest.mark.parametrize(
    ("raw", "at", "text"),
    [
        (b"2026-11-21T16:29:51Z a b\n", "2026-11-21T16:29:51.000000000Z", "a b"),
        (b"2026-11-21T18:29:51.5+02:00 a", "2026-11-21T16:29:51.500000000Z", "a"),
        (b"2026-11-21T16:29:51.123456789Z \n", "2026-11-21T16:29:51.123456789Z", ""),
        (b"2026-11-21T16:29:51.123456789Z \xff\n", "2026-11-21T16:29:51.123456789Z", "\ufffd"),
        (b"no time\n", "before", "no time"),
    ],
)
def test_times_are_in_utc_and_sort_as_text(raw: bytes, at: str, text: str) -> None:
    assert stamped(raw, "before") == (at, text)


def test_what_the_kubelet_says_of_a_log_that_it_lacks_has_no_time() -> None:
    assert not is_stamped(b"unable to retrieve container logs for containerd://abc")
    assert is_stamped(f"{T} a".encode())
