"""The directory that the tasks of a WorkingDirectory share, where each has a pod of its own.

It goes from one pod to the next as an archive in the internal storage. Each attempt that ends by
itself, well or not, leaves one; the next begins with the last that was left, so that a retry finds
what the failed attempt left, as it does on one machine. An attempt that was killed or lost leaves
none: after it the directory is as it was before it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from penstock.storage.errors import FileMissing
from penstock.tasks.archives import pack, unpack
from penstock.tasks.contract import NamespaceFilesOption, TaskFailure
from penstock.tasks.plan import Plan, SharedDirectory
from penstock.tasks.services import Files, NamespaceFiles, Origin
from penstock.tasks.working_files import (
    file_errors,
    file_map,
    is_uri,
    place,
    place_namespace_files,
    target,
)


class Storing(Protocol):
    """What is needed of :class:`penstock.tasks.remote.Remote`."""

    @property
    def origin(self) -> Origin: ...

    @property
    def files(self) -> Files: ...

    def namespace_files(self, namespace: str | None = None) -> NamespaceFiles: ...

    def download(self, uri: str, to: Path) -> None: ...

    def upload(self, name: str, path: Path) -> str: ...


def enter(plan: Plan, directory: Path, remote: Storing) -> list[str]:
    """Let the directory be as it was left, or as it is at first; what is worth a warning."""
    shared = plan.shared
    assert shared is not None
    for uri in shared.left_by:
        if _restored(uri, directory, remote):
            return []
    return _begin(shared, directory, remote)


def leave(shared: SharedDirectory, directory: Path, spare: Path, remote: Storing) -> list[str]:
    """Keep the directory for the next task; what is worth telling.

    ``spare`` is a folder in which the archive is made.
    """
    if not shared.name:
        return []
    return archived(
        directory, None, spare, lambda archive: remote.upload(shared.name, archive)
    )


def archived(
    directory: Path,
    wanted: Callable[[str], bool] | None,
    spare: Path,
    upload: Callable[[Path], object],
) -> list[str]:
    """Give an archive of the directory, or of what is wanted of it, to `upload`."""
    with file_errors("the archive of the working directory"):
        # A file without a name: whoever else sees the folder can't put another in its place.
        with tempfile.TemporaryFile(dir=spare) as archive:
            notes = pack(directory, archive, wanted)
            archive.flush()
            upload(Path(f"/proc/self/fd/{archive.fileno()}"))
    return notes


def _restored(uri: str, directory: Path, remote: Storing) -> bool:
    try:
        stream: BinaryIO = remote.files.open(uri)
    except FileMissing:
        return False
    with file_errors("the archive of the working directory"), stream:
        unpack(stream, directory)
    return True


def _begin(shared: SharedDirectory, directory: Path, remote: Storing) -> list[str]:
    warnings: list[str] = []
    option = shared.properties.get("namespaceFiles")
    if option is not None:
        warnings += place_namespace_files(directory, NamespaceFilesOption(**option), remote)
    for name, content in file_map("inputFiles", shared.properties.get("inputFiles")).items():
        if not is_uri(content):
            place(directory, name, content, None)
        elif content.startswith("file://"):
            raise TaskFailure(f"`{content}`: files of the machine are not served")
        else:
            with file_errors(name):
                remote.download(content, target(directory, name))
    return warnings
