"""How a directory becomes one stream of bytes and back: with its links and permissions, nothing
else.

The directory may be changed meanwhile by somebody else, and nothing outside it may be read or
written; so everything is opened below its own folder, and no link is followed. The filters of
:mod:`tarfile` would do for unpacking, but the first releases of Python 3.11 lack them.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from penstock.tasks.contract.task import TaskFailure

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK_BYTES = 1024 * 1024
_READ_BYTES = 64 * 1024
"""The bytes that are read of an archive at once: for each file :mod:`tarfile` copies the rest of
them."""
_SHOWN = 10


def pack(
    directory: Path, archive: BinaryIO, wanted: Callable[[str], bool] | None = None
) -> list[str]:
    """Write the entries of a directory, or its wanted files, to an archive. Gives a note for each
    entry that is left out.
    """
    skipped: list[str] = []
    with tarfile.open(
        fileobj=archive,
        mode="w|",
        format=tarfile.PAX_FORMAT,
        bufsize=_CHUNK_BYTES,
    ) as tar:
        for root, folders, files, at in os.fwalk(directory):
            below = os.path.relpath(root, directory)
            for name in sorted((*folders, *files)):
                path = os.path.normpath(os.path.join(below, name))
                if wanted is not None and (name in folders or not wanted(path)):
                    continue
                if not _add(tar, path, name, at):
                    skipped.append(path)
    return [f"`{path}` is neither a file nor a folder: it is not kept" for path in skipped[:_SHOWN]]


def unpack(archive: BinaryIO, directory: Path) -> None:
    """Put the entries of an archive into a directory. Raises :class:`TaskFailure` for one that
    would leave it."""
    # The folder belongs to a group where the script has a user of its own.
    shared = bool(directory.stat().st_mode & stat.S_ISGID)
    folders: list[tuple[list[str], int]] = []
    try:
        with (
            tarfile.open(fileobj=archive, mode="r|", bufsize=_READ_BYTES) as tar,
            _Folders(directory) as opened,
        ):
            for member in tar:
                *parents, name = parts = _parts(member.name)
                mode = member.mode & 0o777
                mode |= (mode & 0o700) >> 3 if shared else 0
                _extract(tar, member, name, opened.at(parents), mode)
                if member.isdir():
                    folders.append((parts, mode))
        while archive.read(_CHUNK_BYTES):
            pass  # to the very end, where the digest is checked
        for parts, mode in reversed(
            folders
        ):  # the last ones, since nothing gets into a closed folder
            with _opened(directory, parts) as at:
                os.fchmod(at, mode | (stat.S_ISGID if shared else 0))
    except (tarfile.TarError, EOFError) as error:
        raise TaskFailure(f"the working directory can't be put back: {error}") from error


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts):
        raise TaskFailure(f"the archive of the working directory names a file `{path}`")
    return parts


class _Folders:
    """Opens folders below a directory. The last one stays open: files come folder by folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._last: Sequence[str] | None = None
        self._open = ExitStack()

    def at(self, parts: Sequence[str]) -> int:
        if self._last != parts:
            self._open.close()
            self._at = self._open.enter_context(_opened(self._directory, parts))
            self._last = parts
        return self._at

    def __enter__(self) -> _Folders:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


@contextmanager
def _opened(directory: Path, parts: Sequence[str]) -> Iterator[int]:
    """Open a folder below the directory, and make it where it does not exist."""
    at = os.open(directory, _FOLDER)
    try:
        for part in parts:
            with suppress(FileExistsError):
                os.mkdir(part, 0o777, dir_fd=at)
            inner = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, at: int, mode: int) -> None:
    if member.isdir():
        with suppress(FileExistsError):
            os.mkdir(name, 0o777, dir_fd=at)
        return
    with suppress(FileNotFoundError, IsADirectoryError):
        os.unlink(name, dir_fd=at)
    if member.issym():  # a link may lead anywhere: nothing is written through one
        os.symlink(member.linkname, name, dir_fd=at)
        return
    source = tar.extractfile(member) if member.isreg() else None
    if source is None:
        raise TaskFailure(
            f"the archive of the working directory has `{member.name}`, which is no file"
        )
    with source, os.fdopen(os.open(name, _WRITE, 0o600, dir_fd=at), "wb") as file:
        shutil.copyfileobj(source, file, _CHUNK_BYTES)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.utime(file.fileno(), (member.mtime, member.mtime))


def _add(tar: tarfile.TarFile, path: str, name: str, at: int) -> bool:
    """Add one entry of an open folder; tells whether it is of a kind that can be kept."""
    found = os.stat(name, dir_fd=at, follow_symlinks=False)
    member = tarfile.TarInfo(path)
    member.mode, member.mtime = stat.S_IMODE(found.st_mode), found.st_mtime
    if stat.S_ISDIR(found.st_mode):
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    elif stat.S_ISLNK(found.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=at)
        tar.addfile(member)
    elif stat.S_ISREG(found.st_mode):
        _add_file(tar, member, name, at)
    else:
        return False
    return True


def _add_file(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, at: int) -> None:
    with os.fdopen(os.open(name, _READ, dir_fd=at), "rb") as file:
        before = os.fstat(file.fileno())
        member.size = before.st_size
        try:
            tar.addfile(member, file)
        except OSError as error:
            if error.errno is not None:
                raise
            raise TaskFailure(f"`{member.name}` changed while it was kept") from error
        after = os.fstat(file.fileno())
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise TaskFailure(f"`{member.name}` changed while it was kept")
