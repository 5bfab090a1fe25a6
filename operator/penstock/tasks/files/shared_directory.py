"""The directory that the tasks of a WorkingDirectory share.

Where they share a pod, it is a folder of that pod: its first files are put there before them, and
the files to keep are taken after them. Where each has a pod of its own, it goes from one pod to the
next as an archive in the internal storage. Each attempt that ends by itself, well or not, leaves
one; the next begins with the last that was left, so that a retry finds what the failed attempt
left, as it does on one machine. An attempt that was killed or lost leaves none: after it the
directory is as it was before it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from penstock.storage.errors import FileMissing
from penstock.tasks.contract.plan import Plan, SharedDirectory
from penstock.tasks.contract.services import Files, NamespaceFiles, Origin
from penstock.tasks.contract.task import NamespaceFilesOption, TaskFailure
from penstock.tasks.files.archives import pack, unpack
from penstock.tasks.files.globs import matcher
from penstock.tasks.files.input_files import (
    file_errors,
    file_map,
    is_uri,
    place,
    place_namespace_files,
    target,
)


class Caches(Protocol):
    """The files that the executions of one flow have in common, by name."""

    def open(self, name: str) -> BinaryIO: ...

    def put(self, name: str, source: BinaryIO) -> str: ...


class Storing(Protocol):
    """The part of :class:`penstock.tasks.remote.storage.Remote` that a directory needs."""

    @property
    def origin(self) -> Origin: ...

    @property
    def files(self) -> Files: ...

    @property
    def caches(self) -> Caches: ...

    def namespace_files(self, namespace: str | None = None) -> NamespaceFiles: ...

    def download(self, uri: str, to: Path) -> None: ...

    def upload(self, name: str, path: Path) -> str: ...


def enter(plan: Plan, directory: Path, remote: Storing) -> list[str]:
    """Fill the directory as the last attempt left it, or with its first files. Gives warnings."""
    shared = plan.shared
    assert shared is not None
    for uri in shared.left_by:
        if _restored(uri, directory, remote):
            return []
    return begin(shared, directory, remote)


def leave(shared: SharedDirectory, directory: Path, spare: Path, remote: Storing) -> list[str]:
    """Keep the directory for the next task. Gives notes for the author of the flow.

    ``spare`` is a folder in which the archive is made.
    """
    if not shared.name:
        return []
    with _archive(spare) as archive:
        notes = pack(directory, archive)
        archive.seek(0)
        remote.files.put(shared.name, archive)
    return notes


@contextmanager
def _archive(spare: Path) -> Iterator[BinaryIO]:
    """Open a file without a name: no other user of the folder can put another in its place."""
    with (
        file_errors("the archive of the working directory"),
        tempfile.TemporaryFile(dir=spare) as archive,
    ):
        yield archive


def _restored(uri: str, directory: Path, remote: Storing) -> bool:
    try:
        stream: BinaryIO = remote.files.open(uri)
    except FileMissing:
        return False
    with file_errors("the archive of the working directory"), stream:
        unpack(stream, directory)
    return True


def save_cache(shared: SharedDirectory, directory: Path, spare: Path, remote: Storing) -> None:
    """Keep the files of the cache for the next execution, in place of those kept before."""
    cache = shared.properties.get("cache")
    if not cache:
        return
    with _archive(spare) as archive:
        archive.write(f"{int(time.time())}\n".encode())
        pack(directory, archive, matcher(cache["patterns"]))
        archive.seek(0)
        remote.caches.put(shared.id, archive)


def _restore_cache(shared: SharedDirectory, directory: Path, remote: Storing) -> None:
    """Put the files of the cache back, unless they are older than they may be."""
    cache = shared.properties.get("cache")
    if not cache:
        return
    try:
        stream = remote.caches.open(shared.id)
    except FileMissing:
        return
    with file_errors("the cache of the working directory"), stream:
        saved = float(stream.readline(32))
        if cache.get("ttl") is None or time.time() < saved + cache["ttl"]:
            unpack(stream, directory)


def begin(shared: SharedDirectory, directory: Path, remote: Storing) -> list[str]:
    """Fill the directory with its first files. Gives warnings."""
    _restore_cache(shared, directory, remote)
    warnings: list[str] = []
    option = shared.properties.get("namespaceFiles")
    if option is not None:
        warnings += place_namespace_files(directory, NamespaceFilesOption(**option), remote)
    for name, content in file_map("inputFiles", shared.properties.get("inputFiles")).items():
        if not is_uri(content):
            place(directory, name, content, None)
        elif content.startswith("file://"):
            raise TaskFailure(
                f"`{content}`: files of the machine are not served; use nsfile:// or kestra://"
            )
        else:
            with file_errors(name):
                remote.download(content, target(directory, name))
    return warnings
