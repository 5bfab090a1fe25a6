"""The bytes of the storage, on any file system that ``fsspec`` knows."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from penstock.storage.digests import Hashed, digest_of
from penstock.storage.errors import FileMissing, StorageError, StorageFull
from penstock.storage.finding import files_below, objects_below
from penstock.storage.reading import OpenFile
from penstock.storage.uris import checked, uri_of
from penstock.storage.writing import into_folder, into_store

_CHUNK_BYTES = 1024 * 1024
_UNFINISHED = ".unfinished"
_TENANT = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Storage:
    """Files by path, below one folder of a file system. Safe to use from several threads.

    Everything is a stream: no file is held in memory as a whole.
    """

    def __init__(
        self,
        filesystem: AbstractFileSystem,
        root: str,
        unfinished: str | None = None,
        *,
        durable: bool = False,
    ) -> None:
        self.filesystem = filesystem
        self._root: str = filesystem._strip_protocol(root).rstrip("/")
        self._unfinished = unfinished or f"{self._root}/{_UNFINISHED}"
        """The folder of files that are being written, outside of all tenants."""
        self._durable = durable

    @classmethod
    def local(cls, folder: str, *, durable: bool = False) -> Storage:
        """A storage in a folder of this machine. With ``durable`` a written file is on the disk."""
        return cls(LocalFileSystem(auto_mkdir=True), folder, durable=durable)

    def of(self, tenant: str) -> Storage:
        """The storage of a tenant, which is a Kubernetes namespace; no path leads out of its
        folder. Raises :class:`StorageError` for what can't be the name of a tenant.
        """
        if _TENANT.fullmatch(tenant) is None:
            raise StorageError(f"`{tenant[:100]}` is not the name of a Kubernetes namespace")
        root = f"{self._root}/{tenant}"
        return Storage(self.filesystem, root, self._unfinished, durable=self._durable)

    def open(self, path: str) -> BinaryIO:
        """Open a file as a stream to read; the caller closes it. Raises :class:`FileMissing`."""
        try:
            file = self.filesystem.open(self.at(path), "rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise _missing(path) from None
        if getattr(file, "details", {}).get("type") == "directory":  # stores open those too
            raise _missing(path)
        return cast("BinaryIO", file)

    def opened(self, path: str) -> OpenFile:
        """Open a file to read, together with its size, tag and digest. Raises
        :class:`FileMissing`."""
        return OpenFile.of(self.open(path))

    def put(self, path: str, source: BinaryIO) -> None:
        """Write a stream to a file, as :meth:`writing` does."""
        digest = None
        if not self.is_local and source.seekable():  # an object's metadata comes before its bytes
            start = source.tell()
            digest, _ = digest_of(source)
            source.seek(start)
        with self.writing(path, digest) as file:
            shutil.copyfileobj(source, file, _CHUNK_BYTES)

    @contextmanager
    def writing(self, path: str, digest: str | None = None) -> Iterator[Hashed]:
        """Open a file to write: it is there, whole, when the block ends, and stays as it was when
        the block raises. Raises :class:`FileDamaged` where its digest is not the given one.
        """
        target = self.at(path)
        if self.filesystem.isdir(target):
            raise StorageError(f"`{uri_of(path)}` is a folder")
        try:
            with self._written(target, digest) as file:
                yield file
        except (FileExistsError, NotADirectoryError):
            raise StorageError(f"`{uri_of(path)}`: a part of the path is a file") from None
        except OSError as error:
            if error.errno in _FULL:
                raise StorageFull(
                    f"`{uri_of(path)}` can't be written: the internal storage has no space left"
                ) from None
            raise

    def delete(self, path: str) -> bool:
        """Delete a file; tells whether it existed."""
        if not self.exists(path):
            return False
        with suppress(FileNotFoundError):
            self.filesystem.rm_file(self.at(path))
            return True
        return False

    def exists(self, path: str) -> bool:
        return self._size(path) is not None

    def size(self, path: str) -> int:
        """The size of a file in bytes. Raises :class:`FileMissing`."""
        size = self._size(path)
        if size is None:
            raise _missing(path)
        return size

    def _size(self, path: str) -> int | None:
        """The size of a file; None where it does not exist. `isfile` would say so of a store that
        does not answer, too."""
        try:
            found = self.filesystem.info(self.at(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return int(found["size"]) if found["type"] == "file" else None

    def list(self, folder: str) -> Iterator[str]:
        """The paths of all files below a folder (a path that ends with ``/``), in order."""
        below = self.at(f"{folder}x")[:-1].rstrip("/")
        with suppress(FileNotFoundError, NotADirectoryError):
            for found in sorted(self.filesystem.find(below)):
                if found.startswith(f"{below}/"):  # a store finds a file of that name, too
                    yield found.removeprefix(self._root)

    def found(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield the path and the size of each file below a folder (a path that ends with ``/``), as
        they are found: a folder of this machine is not held in memory as a whole.
        """
        below = self.at(f"{folder}x")[:-1].rstrip("/")
        files = files_below(below) if self.is_local else objects_below(self.filesystem, below)
        for path, size in files:
            yield path.removeprefix(self._root), size

    def folders(self, folder: str) -> Sequence[str]:
        """The names of the folders in a folder (a path that ends with ``/``), in order."""
        at = self._root + (folder if folder == "/" else f"{checked(folder.rstrip('/'))}/")
        with suppress(FileNotFoundError, NotADirectoryError):
            found = self.filesystem.ls(at, detail=True)
            names = (item["name"] for item in found if item["type"] == "directory")
            return sorted(name.rstrip("/").rpartition("/")[2] for name in names)
        return []

    def clear(self, folder: str, spared: Collection[str] = ()) -> int:
        """Delete all files below a folder, but for those below folders of spared names; gives their
        number."""
        count = 0
        for path in list(self.list(folder)):
            if not set(path.removeprefix(folder).split("/")[:-1]).intersection(spared):
                count += self.delete(path)
        if self.is_local:
            _remove_empty_folders(self.at(folder.rstrip("/")))
        return count

    def empty(self, but: str) -> None:
        """Delete everything below this folder but for one file."""
        while sum(self.delete(path) for path, _ in self.found("/") if path != but):
            continue
        if self.is_local:
            _remove_empty_folders(self._root)

    @property
    def is_local(self) -> bool:
        """Whether the files lie in a folder of this machine."""
        return isinstance(self.filesystem, LocalFileSystem)

    def discard_unfinished(self, older_than: float) -> None:
        """Remove files that were begun and never finished, where nobody wrote to them for so many
        seconds."""
        if self.is_local and Path(self._unfinished).is_dir():
            for file in Path(self._unfinished).iterdir():
                with suppress(FileNotFoundError):
                    if time.time() - file.stat().st_mtime > older_than:
                        file.unlink()

    def at(self, path: str) -> str:
        """The path of a file in the file system."""
        return self._root + checked(path)

    def _written(self, target: str, digest: str | None) -> AbstractContextManager[Hashed]:
        if self.is_local:
            unfinished = Path(self._unfinished)
            return into_folder(unfinished, Path(target), digest, durable=self._durable)
        return into_store(self.filesystem, target, digest)


def _remove_empty_folders(top: str) -> None:
    for parent, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):  # a folder that is not empty stays
            Path(parent).rmdir()


def _missing(path: str) -> FileMissing:
    return FileMissing(f"The file '{uri_of(path)}' does not exist")
