"""The lines of the log of a task's container, as the kubelet gives them and as Penstock keeps them.

    2026-11-21T16:29:51.123456789Z WARN three rows were left out

The result of a task is dropped here, since it is no part of the log: it stands at the end where it
was too long for the termination message (see :mod:`penstock.tasks.contract.framing`).

Levels: a core task says its level before each line. A script's lines are INFO, since the kubelet
does not tell stderr from stdout; those of a `::{"logs": […]}::` line have the level that they name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from penstock.tasks.contract.framing import BEGIN_MARK, END_MARK
from penstock.tasks.contract.services import LEVELS

NOTE_MARK = "::penstock-note::"
"""Begins a line that Penstock put into a log that it keeps."""

_STAMPED = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?", re.ASCII
)
_LEVEL = re.compile(rf"({'|'.join(LEVELS)}) ", re.ASCII)
_NO_TIME = "1970-01-01T00:00:00.000000000Z"


@dataclass(frozen=True)
class Line:
    """One line of a log."""

    at: str
    """When it was printed, in UTC to the nanosecond: as text it sorts as the time does."""
    level: str
    message: str


@dataclass(frozen=True)
class Source:
    """The attempt whose log it is."""

    task: str
    task_run: str
    attempt: int
    value: str | None = None
    """The value of the loop in which the task stands."""
    levels: bool = False
    """Whether the lines say their level, as those of a core task do."""


class LineReader:
    """Makes lines of the kubelet's lines, in their order."""

    def __init__(self, levels: bool) -> None:
        self._levels = levels
        self._at = _NO_TIME
        self._blank: Line | None = None
        self._skipped = 0
        """How many bytes of a result are still to come; its last line comes after them."""
        self._in_result = False

    def read(self, raw: bytes) -> list[Line]:
        """The lines that a line of the kubelet's holds: mostly one."""
        self._at, text = stamped(raw, self._at)
        if self._in_result:
            self._skip(raw, text)
            return []
        if text.startswith(BEGIN_MARK) and text.endswith("::"):
            size = text[len(BEGIN_MARK) : -2]
            if size.isascii() and size.isdigit():
                self._in_result, self._skipped = True, int(size[:12])
                self._blank = None
                return []
        before = [self._blank] if self._blank is not None else []
        self._blank = None
        if not text:
            self._blank = Line(self._at, "INFO", "")
            return before
        return before if text == END_MARK else [*before, *self._lines(text)]

    def end(self) -> list[Line]:
        """The lines that were held back until nothing follows."""
        held, self._blank = self._blank, None
        return [] if held is None else [held]

    def read_all(self, raw: Iterable[bytes]) -> Iterator[Line]:
        for line in raw:
            yield from self.read(line)
        yield from self.end()

    def _skip(self, raw: bytes, text: str) -> None:
        if self._skipped <= 0:
            self._in_result = False
        else:
            stamp = raw.find(b" ") + 1
            self._skipped -= len(raw.rstrip(b"\n")) - stamp + 1

    def _lines(self, text: str) -> list[Line]:
        if text.startswith(NOTE_MARK):
            return [Line(self._at, "WARN", text.removeprefix(NOTE_MARK).strip())]
        if self._levels:
            match = _LEVEL.match(text)
            level, message = (match[1], text[match.end() :]) if match else ("INFO", text)
            return [Line(self._at, level, message)]
        said = _said(text)
        if said is None:
            return [Line(self._at, "INFO", text)]
        return [Line(self._at, level, message) for level, message in said]


def stamped(raw: bytes, otherwise: str = _NO_TIME) -> tuple[str, str]:
    """The time of a line of the kubelet's, and its text."""
    text = raw.decode("utf-8", "replace").removesuffix("\n")
    match = _STAMPED.match(text)
    if match is None:
        return otherwise, text
    seconds, fraction, zone = match.groups()
    if zone != "Z":
        local = datetime.fromisoformat(f"{seconds}{zone}")
        seconds = local.astimezone(UTC).isoformat().removesuffix("+00:00")
    return f"{seconds}.{(fraction or '').ljust(9, '0')}Z", text[match.end() :]


def is_stamped(raw: bytes) -> bool:
    """Whether a line has a time. The kubelet's message about a log that it lacks has none."""
    return _STAMPED.match(raw[:40].decode("utf-8", "replace")) is not None


def note(at: str, text: str) -> bytes:
    """A line of Penstock's own for a log."""
    return f"{at} {NOTE_MARK} {text}\n".encode()


def entry(source: Source, line: Line) -> dict[str, Any]:
    """A line and its attempt, as JSON values."""
    made: dict[str, Any] = {
        "timestamp": line.at,
        "level": line.level,
        "message": line.message,
        "taskId": source.task,
        "taskRunId": source.task_run,
        "attempt": source.attempt,
    }
    return made if source.value is None else {**made, "value": source.value}


def _said(text: str) -> list[tuple[str, str]] | None:
    """The levels and texts of a script's `::{"logs": […]}::` line; None for any other line."""
    shown = text.strip()
    if not (shown.startswith("::{") and shown.endswith("}::") and '"logs"' in shown):
        return None
    try:
        logs = json.loads(shown[2:-2])["logs"]
        return [(_level(item.get("level")), str(item["message"])) for item in logs]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None


def _level(given: object) -> str:
    level = str(given or "INFO").upper()
    return level if level in LEVELS else "INFO"
