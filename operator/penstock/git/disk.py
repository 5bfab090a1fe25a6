"""The disk that all caches share: what was not used for longest makes way for what is fetched."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from penstock.git.model import GitError

_BLOCK = 512
"""Bytes that ``st_blocks`` counts in."""


class CacheFull(GitError):
    """What the others use leaves no room."""


@dataclass(frozen=True)
class SourceCache:
    """The folder of one source, while somebody uses it."""

    disk: CacheDisk
    key: str

    @property
    def path(self) -> Path:
        return self.disk.root / self.key

    def make_room(self) -> None:
        """Count what is there now. Raises ``GitError`` where it is too much."""
        self.disk.make_room(self.key)


class CacheDisk:
    """Folders by key below one root. They hold no more than ``limit`` bytes together, and are
    counted while git writes: so by no more than what git writes in the moment between two looks."""

    def __init__(self, root: Path, limit: int) -> None:
        self.root = root
        self._limit = limit
        self._lock = threading.Lock()
        self._used = Counter[str]()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sizes = OrderedDict((path.name, size_of(path)) for path in sorted(root.iterdir()))
        """The bytes of each folder, by its key; the one that was used last stands last."""

    @contextlib.contextmanager
    def used(self, key: str) -> Iterator[SourceCache]:
        """The folder of a key, which stays until the block ends."""
        with self._lock:
            self._used[key] += 1
            self._sizes.setdefault(key, 0)
            self._sizes.move_to_end(key)
        try:
            yield SourceCache(self, key)
        finally:
            size = size_of(self.root / key)
            with self._lock:
                self._used[key] -= 1
                self._sizes[key] = size

    def make_room(self, key: str) -> None:
        """Delete what nobody uses, until all is within the limit."""
        size = size_of(self.root / key)
        with self._lock:
            self._sizes[key] = size
            while sum(self._sizes.values()) > self._limit:
                self._delete_oldest(size)

    def _delete_oldest(self, wanted: int) -> None:
        oldest = next((key for key in self._sizes if not self._used[key]), None)
        if oldest is not None:
            shutil.rmtree(self.root / oldest, ignore_errors=True)
            del self._sizes[oldest], self._used[oldest]
        elif wanted > self._limit // 2:
            raise GitError(
                "TooLarge",
                f"The repository needs more than {wanted} bytes of the Git cache, which holds "
                f"{self._limit} for all. Keep flows in a smaller repository, or raise "
                "`git.cacheSize`.",
            )
        else:
            raise CacheFull(
                "GitOperationFailed",
                "The Git cache is used up by what is fetched at this moment. It is tried again; "
                "where it lasts, raise `git.cacheSize`.",
            )


def size_of(directory: str | os.PathLike[str]) -> int:
    """The bytes below a directory, and on the disk. Files that vanish meanwhile do not count."""
    total = 0
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as found:
        for entry in found:
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    total += size_of(entry.path)
                else:
                    stat = entry.stat(follow_symlinks=False)
                    # What was just written has no blocks yet.
                    total += max(stat.st_size, stat.st_blocks * _BLOCK)
    return total
