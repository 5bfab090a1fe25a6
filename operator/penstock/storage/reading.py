"""A file that is open to be read, with its size, tag and digest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from penstock.storage.digests import digest_in, kept


@dataclass(frozen=True)
class OpenFile:
    """An open file. It reads what was there when it was opened, whoever replaces it meanwhile."""

    file: BinaryIO
    size: int
    tag: str
    """A text that differs for another content: it tells two files of one path apart."""
    digest: str | None
    """The SHA-256 of the file; None where none was kept."""

    @classmethod
    def of(cls, file: Any) -> OpenFile:
        try:
            found = os.fstat(file.fileno())
        except OSError:  # not a local file
            details = getattr(file, "details", {})
            tag = details.get("etag") or file.fs.ukey(file.path)
            return cls(file, file.size, str(tag).strip('"'), digest_in(details))
        tag = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
        return cls(file, found.st_size, tag, kept(file))
