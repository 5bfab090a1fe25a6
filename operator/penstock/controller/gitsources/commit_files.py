"""The files of a commit as they come from the Git service: on the disk, never all in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Self, cast

from penstock.git import Begun, FileHead, GitError, Limits, Record, Skipped

LIMITS = Limits()
"""What the flow files of a commit may cost."""
_IN_MEMORY = 1024 * 1024
"""Bytes up to which nothing is written to the disk."""


@dataclass(frozen=True)
class SourceFile:
    """A file of a commit; ``path`` starts at the top of the repository."""

    path: str
    blob: str
    content: bytes


class CommitFiles:
    """All flow files of a commit: small ones, and not too many. They are gone when the block that
    uses them ends."""

    def __init__(self, limit: int = LIMITS.max_total_bytes) -> None:
        self.commit = ""
        self.skipped: list[Skipped] = []
        self.unchanged: list[str] = []
        """The paths of those that were known."""
        self._limit = limit
        self._heads: list[FileHead] = []
        self._size = 0
        self._spool = spool()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def take(self, record: Record) -> None:
        """Take the next record. Raises ``GitError`` beyond the limit of bytes."""
        match record:
            case Begun():
                self.commit = record.commit
            case Skipped():
                self.skipped.append(record)
            case FileHead(size=None):
                self.unchanged.append(record.path)
            case FileHead():
                self._heads.append(record)
            case bytes():
                self._size += len(record)
                if self._size > self._limit:
                    raise GitError("TooLarge", f"The files have more than {self._limit} bytes.")
                self._spool.write(record)

    def __iter__(self) -> Iterator[SourceFile]:
        """Read one file after the other, once all records are there."""
        self._spool.seek(0)
        for head in self._heads:
            yield SourceFile(head.path, head.blob, self._spool.read(head.size or 0))


def spool() -> BinaryIO:
    """A file that nobody sees, in memory while it is small."""
    return cast("BinaryIO", SpooledTemporaryFile(_IN_MEMORY))
