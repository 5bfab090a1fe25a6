"""A file on its way to a store that does not compare digests."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, cast

from penstock.storage.errors import FileDamaged


def unchanged(file: BinaryIO, digest: str, size: int, name: str) -> BinaryIO:
    """The file, to be read once. Its last block is given out only where all of it is what was said:
    a store keeps nothing of which the end is missing.
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
                f"`{self._name}` changed on its way: its SHA-256 is {self._made.hexdigest()}, and "
                f"{self._digest} was said"
            )
        return block
