"""Namespace files from Git: a folder of a repository becomes the files of a namespace.

What was taken in is written down in the storage, file by file, with the hash that Git has of it: so
nothing is copied twice, and what is gone from Git goes, but for files that came another way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from penstock.git import Limits, Remote, Snapshot, snapshot
from penstock.git.checks import check_path
from penstock.kubernetes.api.client import Object
from penstock.resources.gitsource import FileProblem, GitSourceSpec
from penstock.storage.errors import FileMissing, StorageError
from penstock.storage.execution import NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.uris import checked, namespace_folder, own_part

LIMITS = Limits(
    max_file_bytes=64 * 1024 * 1024,
    max_total_bytes=256 * 1024 * 1024,
    max_fetch_bytes=1024 * 1024 * 1024,
)
"""What the files of one namespace may cost: they are read into memory while they are copied."""

_TAKEN = "_git"


class NamespaceFolders:
    """Takes in the namespace files of GitSources."""

    def __init__(self, storage: Callable[[str], Storage]) -> None:
        self._storage = storage

    async def take_in(
        self, body: Object, spec: GitSourceSpec, remote: Remote, commit: str, cache: Path
    ) -> list[FileProblem]:
        """Bring the files of all namespaces that the GitSource names to a commit; what could not be
        taken in. Raises ``GitError`` and :class:`StorageError`.
        """
        meta = body["metadata"]
        problems: list[FileProblem] = []
        for wanted in spec.namespace_files:
            folder = Folder(
                self._storage(meta["namespace"]),
                wanted.namespace,
                check_path(wanted.path),
                meta["name"],
            )
            at = replace(remote, path=folder.path or ".")
            problems += await asyncio.to_thread(_bring, folder, at, commit, cache, spec.prune)
        return problems


def is_namespace_file(spec: GitSourceSpec, path: str) -> bool:
    """Whether a file of the repository is for a namespace, and so no flow."""
    folders = [check_path(wanted.path) for wanted in spec.namespace_files]
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders if folder)


@dataclass(frozen=True)
class Folder:
    """A folder of a repository that becomes the files of a namespace."""

    storage: Storage
    namespace: str
    path: str
    """In normal form, empty for the top of the repository."""
    source: str
    """The name of the GitSource."""

    def taken(self) -> Mapping[str, str]:
        """The hashes of what was taken in, by the file's path below the folder."""
        try:
            with self.storage.open(self._record) as file:
                found = json.load(file)
        except FileMissing:
            return {}
        files: Mapping[str, str] = found["files"]
        return files

    def name_of(self, path: str) -> str:
        """A file's path below the folder, or its name where it is the one file that is meant."""
        if path == self.path:
            return path.rpartition("/")[2]
        return path.removeprefix(f"{self.path}/") if self.path else path

    def lacks(self, files: Snapshot) -> bool:
        """Whether the content of a file is wanted that was not read, as its hash was known."""
        taken = self.taken()
        return any(
            file.content is None and taken.get(self.name_of(file.path)) != file.blob
            for file in files.files
        )

    def take_in(self, files: Snapshot, *, prune: bool) -> list[FileProblem]:
        """Bring the namespace's files to the commit; what could not be taken in."""
        before, now = self.taken(), dict[str, str]()
        target = NamespaceFiles(self.storage, self.namespace)
        problems = [FileProblem(path=item.path, message=item.reason) for item in files.skipped]
        for file in files.files:
            name = self.name_of(file.path)
            try:
                if file.content is not None and before.get(name) != file.blob:
                    target.put(name, BytesIO(file.content))
            except StorageError as error:
                problems.append(FileProblem(path=file.path, message=str(error)))
            else:
                now[name] = file.blob
        skipped = {self.name_of(item.path) for item in files.skipped}
        for name in before.keys() - now.keys():
            if prune and name not in skipped:
                target.delete(name)
            else:
                now[name] = before[name]
        if now != before:
            text = json.dumps({"files": now}, sort_keys=True)
            self.storage.put(self._record, BytesIO(text.encode()))
        return problems

    @property
    def _record(self) -> str:
        """Not among the namespace's files: no task can read or change it."""
        return checked(f"{namespace_folder(self.namespace)}{_TAKEN}/{own_part(self.source)}.json")


def _bring(
    folder: Folder, remote: Remote, commit: str, cache: Path, prune: bool
) -> list[FileProblem]:
    known = frozenset(folder.taken().values())
    files = snapshot(remote, commit, cache, known, suffixes=("",), limits=LIMITS)
    if folder.lacks(files):
        files = snapshot(remote, commit, cache, suffixes=("",), limits=LIMITS)
    return folder.take_in(files, prune=prune)
