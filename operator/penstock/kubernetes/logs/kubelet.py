"""Reads a container's log from the kubelet into a file, up to a limit, with the times of its
lines."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from penstock.kubernetes.logs.lines import is_stamped, note, stamped

_IN_MEMORY = 256 * 1024
_STAMP_BYTES = 64
_LONGEST_FIRST = 64 * 1024


def _file() -> BinaryIO:
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="penstock-log-"))


@dataclass
class Piece:
    """Whole lines of a log that follow each other, in a temporary file; a large one is on the
    disk."""

    file: BinaryIO = field(default_factory=_file)
    size: int = 0
    first: str | None = None
    """When the first line was printed; None while there is no line."""
    last: str | None = None
    """When the last line was printed."""
    is_cut: bool = False
    """Whether the log has more than the limit."""
    follows: bool = True
    """Whether no line is missing between the lines before and this piece."""

    def add_note(self, text: str) -> None:
        """Append a note of Penstock's own."""
        line = note(self.last or self.first or "1970-01-01T00:00:00.000000000Z", text)
        self.file.seek(self.size)
        self.size += self.file.write(line)

    def add(self, other: Piece) -> None:
        """Append the piece that follows."""
        other.file.seek(0)
        self.file.seek(self.size)
        while block := other.file.read(_LONGEST_FIRST):
            self.size += self.file.write(block)
        self.first = self.first or other.first
        self.last = other.last or self.last

    def close(self) -> None:
        self.file.close()


class Unreadable(Exception):
    """The kubelet has no such log; the text is the kubelet's."""


async def read_piece(
    answer: AsyncIterator[bytes], limit: int, after: str | None = None, *, is_whole: bool
) -> Piece:
    """Read the kubelet's answer into a piece of at most ``limit`` bytes.

    Lines up to the time ``after`` are left out: the kubelet is asked by whole seconds. Where none
    is left out, the log was rotated meanwhile: then the piece does not follow. The last line is
    taken only where it has its end, or where ``is_whole`` says that nothing follows it. Raises
    :class:`Unreadable`.
    """
    piece = Piece()
    piece.follows = after is None
    reader = _Reader(piece, limit, after)
    try:
        async for block in answer:
            reader.take(block)
            if piece.is_cut:
                break
        reader.end(is_whole=is_whole)
    except BaseException:
        piece.close()
        raise
    return piece


class _Reader:
    """Puts blocks of bytes into a piece."""

    def __init__(self, piece: Piece, limit: int, after: str | None) -> None:
        self._piece = piece
        self._limit = limit
        self._after = after
        self._pending = bytearray()
        """Bytes whose first line may still be one that is known already."""
        self._started = False
        self._looked = False
        self._ends = 0
        """The end of the last whole line."""

    def take(self, block: bytes) -> None:
        if self._started:
            self._write(block)
            return
        self._pending += block
        self._drop_known(is_end=False)

    def end(self, *, is_whole: bool) -> None:
        if not self._started:
            self._drop_known(is_end=True)
        piece = self._piece
        if self._ends < piece.size and (self._is_worth_its_rest() if piece.is_cut else is_whole):
            piece.file.seek(piece.size)
            piece.size += piece.file.write(b"\n")
        elif self._ends < piece.size:
            piece.file.truncate(self._ends)
            piece.size = self._ends
        if piece.size:
            piece.first = self._time_at(0)
            piece.last = self._time_at(self._start_of_last())

    def _is_worth_its_rest(self) -> bool:
        """Whether a line that was cut is the only one, and has more than a part of its time."""
        self._piece.file.seek(0)
        return not self._ends and is_stamped(self._piece.file.read(_STAMP_BYTES))

    def _drop_known(self, *, is_end: bool) -> None:
        """Leave out the lines up to the time ``after``."""
        pending = self._pending
        while pending:
            end = pending.find(b"\n")
            if end < 0 and not is_end and len(pending) < _LONGEST_FIRST:
                return
            line = bytes(pending[: end + 1 if end >= 0 else len(pending)])
            if not self._looked:
                self._looked = True
                if not is_stamped(line):
                    raise Unreadable(line.decode("utf-8", "replace").strip()[:300])
            at, _ = stamped(line[:_STAMP_BYTES])
            if self._after is None or at > self._after:
                self._started = True
                self._write(bytes(pending))
                pending.clear()
                return
            self._piece.follows = True
            del pending[: len(line)]

    def _write(self, block: bytes) -> None:
        room = self._limit - self._piece.size
        self._piece.is_cut = len(block) > room
        block = block[:room]
        last = block.rfind(b"\n")
        if last >= 0:
            self._ends = self._piece.size + last + 1
        self._piece.size += self._piece.file.write(block)

    def _start_of_last(self) -> int:
        """The place where the last line begins."""
        end = self._piece.size - 1
        while end > 0:
            start = max(end - _LONGEST_FIRST, 0)
            self._piece.file.seek(start)
            found = self._piece.file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
        return 0

    def _time_at(self, place: int) -> str:
        self._piece.file.seek(place)
        return stamped(self._piece.file.read(_STAMP_BYTES))[0]
