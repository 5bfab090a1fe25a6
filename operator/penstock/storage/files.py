"""The bytes of the storage, on any file system that ``fsspec`` knows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, cast
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from penstock.storage.errors import FileMissing, StorageError
from penstock.storage.uris import checked, uri_of

_CHUNK_BYTES = 1024 * 1024
_UNFINISHED = ".unfinished"


class Storage:
    """Files by path, below one folder of a file system. Safe to use from several threads.

    Everything is a stream: no file is held in memory as a whole.
    """

    def __init__(self, filesystem: AbstractFileSystem, root: str) -> None:
        self._files = filesystem
        self._root: str = filesystem._strip_protocol(root).rstrip("/")

    @classmethod
    def local(cls, folder: str) -> Storage:
        """A storage in a folder of this machine."""
        return cls(LocalFileSystem(auto_mkdir=True), folder)

    def open(self, path: str) -> BinaryIO:
        """The file as a stream to read; the caller closes it. Raises :class:`FileMissing`."""
        try:
            return cast("BinaryIO", self._files.open(self._at(path), "rb"))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise _missing(path) from None

    def put(self, path: str, source: BinaryIO) -> None:
        """Write a file, or write it anew: whoever reads sees the old one or the whole new one."""
        target = self._at(path)
        if self._files.isdir(target):
            raise StorageError(f"`{uri_of(path)}` is a folder")
        unfinished = f"{self._root}/{_UNFINISHED}/{uuid4().hex}"
        try:
            with self._files.open(unfinished, "wb") as file:
                shutil.copyfileobj(source, file, _CHUNK_BYTES)
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._files.mv(unfinished, target)
        except (FileExistsError, NotADirectoryError):
            raise StorageError(f"`{uri_of(path)}`: a part of the path is a file") from None
        finally:
            with suppress(FileNotFoundError):
                self._files.rm_file(unfinished)

    def delete(self, path: str) -> bool:
        """Whether there was such a file."""
        if not self.exists(path):
            return False
        with suppress(FileNotFoundError):
            self._files.rm_file(self._at(path))
            return True
        return False

    def exists(self, path: str) -> bool:
        return bool(self._files.isfile(self._at(path)))

    def size(self, path: str) -> int:
        """In bytes. Raises :class:`FileMissing`."""
        if not self.exists(path):
            raise _missing(path)
        try:
            return int(self._files.size(self._at(path)))
        except FileNotFoundError:
            raise _missing(path) from None

    def list(self, folder: str) -> Iterator[str]:
        """The paths of all files below a folder (a path that ends with ``/``), in order."""
        below = self._at(f"{folder}x")[:-1].rstrip("/")
        with suppress(FileNotFoundError, NotADirectoryError):
            for found in sorted(self._files.find(below)):
                yield found.removeprefix(self._root)

    def _at(self, path: str) -> str:
        return self._root + checked(path)


def _missing(path: str) -> FileMissing:
    return FileMissing(f"The file '{uri_of(path)}' does not exist")
