"""Takes lines out of archived logs.

A part of a log is written anew without them. The last part stays even where it is empty: it says
that the log has ended, else it would be read from the kubelet once more. So a purge that is
repeated, since the controller was killed in between, changes nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from penstock.kubernetes.logs.archive import LogArchive, Part
from penstock.kubernetes.logs.lines import LineReader, stamped
from penstock.storage.errors import FileMissing
from penstock.tasks.contract.framing import BEGIN_MARK

_IN_MEMORY = 1024 * 1024
_RESULT = BEGIN_MARK.encode()


@dataclass(frozen=True)
class Window:
    """The lines that a purge means: by time and level."""

    start: str = ""
    """A time as the kubelet writes it, so that times compare as text."""
    end: str = "9"
    levels: frozenset[str] = frozenset()
    """The levels that are meant; all where it is empty."""

    @classmethod
    def between(
        cls, start: datetime | None, end: datetime, levels: frozenset[str] = frozenset()
    ) -> Window:
        return cls("" if start is None else _stamp(start), _stamp(end), levels)

    def misses(self, part: Part) -> bool:
        """Whether no line of a part is meant."""
        return part.last < self.start or self.end < part.first

    def covers(self, part: Part) -> bool:
        """Whether every line of a part is meant."""
        return not self.levels and self.start <= part.first and part.last <= self.end

    def holds(self, at: str, level: str) -> bool:
        """Whether a line is meant."""
        return self.start <= at <= self.end and (not self.levels or level in self.levels)


ALL = Window()


def count_lines(archive: LogArchive, window: Window) -> int:
    """The number of lines of ended attempts in a window."""
    return sum(_count(archive, path, window) for paths in archive.ended() for path in paths)


def purge_lines(archive: LogArchive, window: Window) -> None:
    """Delete the lines of ended attempts in a window."""
    for *earlier, last in archive.ended():
        for path in earlier:
            if _purge(archive, path, window, is_last=False):
                archive.remove(path)
        _purge(archive, last, window, is_last=True)


def _count(archive: LogArchive, path: str, window: Window) -> int:
    try:
        with archive.open(path) as (part, file):
            return sum(meant for _, meant, is_line in _read(part, file, window) if is_line)
    except FileMissing:  # the execution is gone meanwhile
        return 0


def _purge(archive: LogArchive, path: str, window: Window, *, is_last: bool) -> bool:
    """Write a part without the lines that are meant; tells whether none is left."""
    with cast("BinaryIO", SpooledTemporaryFile(_IN_MEMORY, prefix="penstock-log-")) as rest:
        try:
            with archive.open(path) as (part, file):
                dropped = 0
                for raw, meant, _ in _read(part, file, window):
                    dropped += meant
                    if not meant:
                        rest.write(raw)
        except FileMissing:
            return False
        is_empty = rest.tell() == 0
        if dropped and (is_last or not is_empty):
            rest.seek(0)
            archive.rewrite(path, part, rest)
        return is_empty


def _read(part: Part, file: BinaryIO, window: Window) -> Iterator[tuple[bytes, bool, bool]]:
    """Yield each line of the kubelet's, whether it is meant, and whether it is a line of the log.
    The result of the task at the end is none, and stays or goes as a whole.
    """
    at = ""
    of_result: bool | None = None
    for raw in file:
        if of_result is not None:
            yield raw, of_result, False
            continue
        if window.covers(part) or window.misses(part):
            meant = window.covers(part)
        else:
            at, _ = stamped(raw, at)
            meant = window.holds(at, _level(part, raw))
        if _begins_result(raw):
            of_result = meant
        yield raw, meant, of_result is None


def _begins_result(raw: bytes) -> bool:
    return _RESULT in raw and raw.partition(b" ")[2].startswith(_RESULT)


def _level(part: Part, raw: bytes) -> str:
    """The level of a line of the kubelet's; the first one where it holds several lines."""
    lines = LineReader(part.source.levels).read(raw)
    return lines[0].level if lines else "INFO"


def _stamp(date: datetime) -> str:
    return date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
