"""A file that is open to be read, and what is known of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from penstock.storage.digests import digest_in, kept


@dataclass(frozen=True)
class OpenFile:
    """What is read is the file that was there when it was opened, whoever replaces it meanwhile."""

    file: BinaryIO
    size: int
    tag: str
    """Another one for another content: two files of one path are told apart by it."""
    digest: str | None
    """Its SHA-256, where one was kept."""

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
