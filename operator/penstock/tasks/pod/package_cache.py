"""The cache of a Python task's installed packages, in the internal storage for its next attempt.

There is one entry for each task of a flow, next to what the flow's WorkingDirectories keep: a line
that says what it is and when it was made, and an archive. Whoever may put an entry there may run
code in this flow already. Only pip's work is kept: it is packed before the script begins.

Nothing here fails a task. Packages that can't be put back are installed, and a note tells if they
can't be kept.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import BinaryIO

from penstock.storage.errors import FileMissing
from penstock.tasks.contract.packages import INSTALLED, PACKED, TAG_FILE
from penstock.tasks.contract.pod_folders import PodFolders
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.files.archives import pack, unpack
from penstock.tasks.files.shared_directory import Storing

PREFIX = "packages-"
"""The beginning of the names of entries."""
KEPT_SECONDS = 7 * 24 * 3600
"""Seconds for which an entry counts: names without a version are looked up anew after that."""
LARGEST_BYTES = 2 * 1024**3
"""The most bytes that are kept: the archive needs as much of the pod's disk once more."""
LAST_SECONDS = 30.0
"""Seconds for which the end of a script waits until its packages are kept."""


@dataclass(frozen=True)
class Head:
    """The first line of an entry."""

    key: str
    saved: int

    @property
    def is_old(self) -> bool:
        """Whether the entry is too old to count."""
        return time.time() >= self.saved + KEPT_SECONDS


def read_head(entry: BinaryIO) -> Head:
    """Read the first line of an entry. Raises :class:`TaskFailure` where it is none."""
    try:
        key, saved = entry.readline(128).decode("ascii").split()
        return Head(key, int(saved))
    except ValueError:
        raise TaskFailure("their first line is damaged") from None


class PackageCache:
    """The packages of one attempt."""

    def __init__(self, key: str, folders: PodFolders, remote: Storing) -> None:
        self.notes: list[str] = []
        """Notes for the author of the flow, told when the script has ended."""
        self._key = _own(key, remote.origin)
        self._folders = folders
        self._remote = remote
        self._name = f"{PREFIX}{remote.origin.task}"
        self._at = folders.base / "packages"
        self._saving: Thread | None = None

    def restore(self) -> list[str]:
        """Put the kept packages back, as a whole or not at all. Gives warnings."""
        self._clear()
        try:
            with self._remote.caches.open(self._name) as entry:
                if self._counts(entry):
                    unpack(entry, self._at)
            return []
        except FileMissing:
            return []
        except Exception as error:
            self._clear()
            return [f"the kept packages can't be used, and are installed anew: {error}"]

    def look(self) -> None:
        """Begin to keep the packages once they are installed. It is called again and again."""
        if self._saving is not None or not self._folders.said(INSTALLED):
            return
        if not self._folders.said(PACKED):  # by an earlier start of this container
            self._saving = Thread(target=self._save, daemon=True)
            self._saving.start()

    def finish(self) -> list[str]:
        """Wait a little until the packages are kept. Gives notes."""
        if self._saving is not None:
            self._saving.join(LAST_SECONDS)
            if self._saving.is_alive():
                return [_not_kept(f"the storage took longer than {LAST_SECONDS:.0f} s for them")]
        return self.notes

    def _save(self) -> None:
        try:
            with tempfile.TemporaryFile(dir=self._folders.run) as archive:
                self._pack(archive)
                self._folders.say(PACKED, "")
                archive.seek(0)
                self._remote.caches.put(self._name, archive)
        except Exception as error:
            self.notes.append(_not_kept(str(error)))
        finally:
            if not self._folders.said(PACKED):
                self._folders.say(PACKED, "")

    def _pack(self, archive: BinaryIO) -> None:
        size = sum(path.lstat().st_size for path in self._at.rglob("*"))
        if size > LARGEST_BYTES:
            raise TaskFailure(
                f"they have {size / 1024**3:.1f} GiB, and up to 2 GiB are kept; an image that has "
                "them needs no installation"
            )
        if not (self._at / TAG_FILE).is_file():
            raise TaskFailure("they are not complete")
        archive.write(f"{self._key} {int(time.time())}\n".encode())
        pack(self._at, archive)

    def _counts(self, entry: BinaryIO) -> bool:
        head = read_head(entry)
        return head.key == self._key and not head.is_old

    def _clear(self) -> None:
        shutil.rmtree(self._at, ignore_errors=True)
        with suppress(FileExistsError):
            self._at.mkdir()


def _own(key: str, origin: Origin) -> str:
    """The key of packages for one task of one flow: `my_flow` and `my-flow` share a folder."""
    whose = json.dumps([key, origin.namespace, origin.flow, origin.task])
    return hashlib.sha256(whose.encode()).hexdigest()


def _not_kept(why: str) -> str:
    return f"the packages are not kept for the next run: {why}"
