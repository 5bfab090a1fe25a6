"""Verifies a file on its way to a store that does not compare digests."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, cast

from penstock.storage.errors import FileDamaged


def unchanged(file: BinaryIO, digest: str, size: int, name: str) -> BinaryIO:
    """A reader of the file, for one reading. It gives the last block only where the whole file has
    the digest: a store keeps no file whose end is missing.
    """
    return cast("BinaryIO", _Unchanged(file, digest, size, name))


class _Unchanged:
    def __init__(self, file: BinaryIO, digest: str, size: int, name: str) -> None:
        self._file = file
        self._digest = digest
        self._left = size
        self._name = name
        self._made = hashlib.sha256()

    def read(self, count: int) -> bytes:
        block = self._file.read(count)
        self._made.update(block)
        self._left -= len(block)
        if self._left <= 0 and self._made.hexdigest() != self._digest:
            raise FileDamaged(
                f"`{self._name}` changed on its way: its SHA-256 is {self._made.hexdigest()}, "
                f"not {self._digest}"
            )
        return block
