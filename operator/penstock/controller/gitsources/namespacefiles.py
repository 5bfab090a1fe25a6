"""Namespace files from Git: a folder of a repository becomes the files of a namespace.

What was taken in is written down in the storage, file by file, with the hash that Git has of it: so
nothing is copied twice, and what is gone from Git goes, but for files that came another way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from typing import BinaryIO

from penstock.controller.gitsources.commit_files import spool
from penstock.controller.gitsources.git_client import Git
from penstock.git import FileHead, Limits, Record, Remote, Skipped, Wanted
from penstock.git.checks import check_path
from penstock.kubernetes.api.client import Object
from penstock.resources.gitsource import FileProblem, GitSourceSpec
from penstock.storage.errors import FileMissing, StorageError
from penstock.storage.execution import NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.uris import checked, namespace_file, namespace_folder, own_part
from penstock.storage.usage import Usage

LIMITS = Limits(
    max_file_bytes=64 * 1024 * 1024,
    max_total_bytes=256 * 1024 * 1024,
    max_fetch_bytes=1024 * 1024 * 1024,
)
"""What the files of one namespace may cost."""

_TAKEN = "_git"

Allow = Callable[[str, int], None]
"""Counts a file, by its path and its bytes, that is about to be written. Raises
:class:`StorageError` where the tenant has no room for it."""


class NamespaceFolders:
    """Takes in the namespace files of GitSources."""

    def __init__(
        self, git: Git, storage: Callable[[str], Awaitable[Storage]], usage: Usage
    ) -> None:
        """``storage`` gives the files of a tenant, once its folder is claimed; ``usage`` knows how
        much room it has."""
        self._git = git
        self._storage = storage
        self._usage = usage

    async def take_in(
        self, body: Object, spec: GitSourceSpec, remote: Remote, commit: str
    ) -> list[FileProblem]:
        """Bring the files of all namespaces that the GitSource names to a commit; what could not be
        taken in. Raises ``GitError``, :class:`StorageError` and ``ApiError``.
        """
        meta = body["metadata"]
        # A cache of its own: what one leaves out depends on how large a file may be.
        source = f"{meta['uid']}-files"
        problems: list[FileProblem] = []
        for folder in spec.namespace_files:
            path = check_path(folder.path)
            storage = await self._storage(meta["namespace"])
            target = Folder(storage, folder.namespace, path, meta["name"])
            allow = partial(self._usage.allow_when_counted, meta["namespace"])
            intake = await asyncio.to_thread(Intake, target, allow)
            wanted = Wanted(commit, ("",), target.known(intake.before), LIMITS)
            at = replace(remote, path=path or ".")
            async with self._git.snapshot(meta["namespace"], source, at, wanted) as records:
                await _receive(records, intake)
            problems += await asyncio.to_thread(intake.end, prune=spec.prune)
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
    """The folder in normal form, empty for the top of the repository."""
    source: str
    """The name of the GitSource."""

    def taken(self) -> dict[str, str]:
        """The hashes of what was taken in, by the file's path below the folder."""
        try:
            with self.storage.open(self._record) as file:
                found = json.load(file)
        except FileMissing:
            return {}
        files: dict[str, str] = found["files"]
        return files

    def keep_taken(self, files: Mapping[str, str]) -> None:
        """Write down what was taken in."""
        text = json.dumps({"files": files}, sort_keys=True)
        self.storage.put(self._record, BytesIO(text.encode()))

    def name_of(self, path: str) -> str:
        """A file's path below the folder, or its name where it is the one file that is meant."""
        if path == self.path:
            return path.rpartition("/")[2]
        return path.removeprefix(f"{self.path}/") if self.path else path

    def known(self, taken: Mapping[str, str]) -> dict[str, str]:
        """The hashes of what was taken in, by the file's path in the repository."""
        known = {f"{self.path}/{name}" if self.path else name: taken[name] for name in taken}
        one = self.path.rpartition("/")[2]
        return known | ({self.path: taken[one]} if one in taken else {})

    @property
    def _record(self) -> str:
        """Not among the namespace's files: no task can read or change it."""
        return checked(f"{namespace_folder(self.namespace)}{_TAKEN}/{own_part(self.source)}.json")


class Intake:
    """Brings a namespace's files to a commit, one after the other. Blocks."""

    def __init__(self, folder: Folder, allow: Allow = lambda path, size: None) -> None:
        self._folder = folder
        self._allow = allow
        self._target = NamespaceFiles(folder.storage, folder.namespace)
        self.before = folder.taken()
        self._now: dict[str, str] = {}
        self._skipped: set[str] = set()
        self._problems: list[FileProblem] = []

    def skip(self, item: Skipped) -> None:
        """Leave one as it is that can't be read."""
        self._skipped.add(self._folder.name_of(item.path))
        self._problems.append(FileProblem(path=item.path, message=item.reason))

    def leave(self, head: FileHead) -> None:
        """Note one whose content is there already."""
        self._now[self._folder.name_of(head.path)] = head.blob

    def take(self, head: FileHead, content: BinaryIO) -> None:
        """Write one to the storage."""
        name = self._folder.name_of(head.path)
        try:
            path = namespace_file(self._folder.namespace, name)
            self._allow(path, head.size or 0)
            self._target.put(name, content)
        except StorageError as error:
            self._skipped.add(name)  # what was there before stays
            self._problems.append(FileProblem(path=head.path, message=str(error)))
        else:
            self._now[name] = head.blob

    def end(self, *, prune: bool) -> list[FileProblem]:
        """All files of the commit were seen: delete those that it has no more, and write down what
        there is. What could not be taken in."""
        for name in self.before.keys() - self._now.keys():
            if prune and name not in self._skipped:
                self._target.delete(name)
            else:
                self._now[name] = self.before[name]
        if self._now != self.before:
            self._folder.keep_taken(self._now)
        return self._problems


async def _receive(records: AsyncIterator[Record], intake: Intake) -> None:
    """Take in each file as soon as it is there. One at a time is on this machine."""
    head: FileHead | None = None
    content = spool()

    async def take() -> None:
        nonlocal head
        if head is not None:
            content.seek(0)
            await asyncio.to_thread(intake.take, head, content)
            head = None

    try:
        async for record in records:
            match record:
                case bytes():
                    content.write(record)
                case FileHead(size=None):
                    intake.leave(record)
                case FileHead():
                    await take()
                    content.close()
                    head, content = record, spool()
                case Skipped():
                    intake.skip(record)
        await take()
    finally:
        content.close()
