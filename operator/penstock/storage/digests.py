"""The SHA-256 of a file, kept with the file itself: it is replaced and deleted together with it.

In a folder it is an extended attribute; in a bucket, metadata of the object. Where a file system
has no such attributes (NFS before 4.2), none is kept, and a download is checked by its size alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from penstock.storage.errors import FileDamaged

METADATA = "penstock-sha256"
"""The name of the object's metadata; in HTTP it is the header `x-amz-meta-penstock-sha256` with S3,
and `x-goog-meta-penstock-sha256` with Google."""
AZURE_METADATA = "penstock_sha256"
"""The name of the metadata with Azure, where it must be an identifier."""

_ATTRIBUTE = "user.penstock.sha256"
_BLOCK = 1024 * 1024


def digest_of(source: BinaryIO) -> tuple[str, int]:
    """The digest and the size of the rest of a stream."""
    made, size = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        made.update(block)
        size += len(block)
    return made.hexdigest(), size


def digests_of(source: BinaryIO, part_bytes: int) -> tuple[str, int, list[str]]:
    """The digest and the size of a stream, and the digests of its parts of so many bytes."""
    made, parts, size = hashlib.sha256(), [], 0
    while block := source.read(min(_BLOCK, part_bytes - size % part_bytes)):
        if size % part_bytes == 0:
            parts.append(hashlib.sha256())
        made.update(block)
        parts[-1].update(block)
        size += len(block)
    return made.hexdigest(), size, [part.hexdigest() for part in parts]


def keep(file: BinaryIO, digest: str) -> bool:
    """Keep the digest of a local file with it; tells whether the file system can."""
    try:
        os.setxattr(file.fileno(), _ATTRIBUTE, digest.encode("ascii"))
    except OSError:
        return False
    return True


def kept(file: BinaryIO) -> str | None:
    """The digest that was kept with an open file; None where there is none."""
    with suppress(OSError, AttributeError):
        return os.getxattr(file.fileno(), _ATTRIBUTE).decode("ascii")
    return None


def metadata_of(protocol: Collection[str], digest: str | None) -> dict[str, Any]:
    """The arguments with which an object is opened for writing, so that its digest is kept with
    it."""
    if digest is None:
        return {}
    if "s3" in protocol:
        return {"Metadata": {METADATA: digest}}
    if "az" in protocol:
        return {"metadata": {AZURE_METADATA: digest}}
    return {"metadata": {METADATA: digest}} if "gs" in protocol else {}


def digest_in(details: Mapping[str, Any]) -> str | None:
    """The digest that was kept with an object, from its details."""
    metadata = details.get("metadata") or {}
    return metadata.get(METADATA) or metadata.get(AZURE_METADATA)


class Hashed:
    """A file to write, whose digest is computed on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._made = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._made.update(data)
        self._file.write(data)

    @property
    def digest(self) -> str:
        """The digest of the bytes that were written so far."""
        return self._made.hexdigest()

    def check(self, expected: str | None) -> None:
        """Raises :class:`FileDamaged` where another digest was expected."""
        if expected is not None and expected != self.digest:
            raise FileDamaged(
                f"the file changed on its way: its SHA-256 is {self.digest}, not {expected}"
            )
