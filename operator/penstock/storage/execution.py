"""The storage as one execution sees it: by URI, and no further than it may see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from penstock.storage.files import Storage
from penstock.storage.uris import (
    FILES,
    ExecutionPlace,
    Refused,
    namespace_file,
    namespace_folder,
    readable,
    uri_of,
)


@dataclass(frozen=True)
class ExecutionFiles:
    """The files that an execution may read, and those that it makes.

    Every method raises :class:`StorageError`.
    """

    storage: Storage
    place: ExecutionPlace
    parents: Sequence[ExecutionPlace] = ()
    """The executions that called this one, nearest first."""
    any_namespace: bool = False
    """Whether `nsfile://other.namespace/…` may be read."""
    refused: Refused = lambda path: ""
    """Says which files of further executions were handed to this one."""

    def open(self, uri: str) -> BinaryIO:
        """Open a file as a stream; the caller closes it."""
        return self.storage.open(self._path(uri))

    def size(self, uri: str) -> int:
        """The size of a file in bytes."""
        return self.storage.size(self._path(uri))

    def exists(self, uri: str) -> bool:
        return self.storage.exists(self._path(uri))

    def delete(self, uri: str) -> bool:
        """Delete a file; tells whether it existed. Other namespaces' files are never deleted by
        URI."""
        path = readable(uri, self.place, self.parents, refused=self.refused)
        return self.storage.delete(path)

    def put_output(self, task: str, task_run: str, name: str, source: BinaryIO) -> str:
        """Keep a file that a task made, and give its URI."""
        return self._put(self.place.task_file(task, task_run, name), source)

    def put_input(self, input_id: str, name: str, source: BinaryIO) -> str:
        """Keep a file that was given to the execution, and give its URI."""
        return self._put(self.place.input_file(input_id, name), source)

    def purge(self) -> list[str]:
        """Delete every file of the execution, and give their URIs."""
        deleted, _ = self.purge_some(math.inf)
        return deleted

    def purge_some(self, most: float) -> tuple[list[str], bool]:
        """Delete files of the execution, until their URIs have ``most`` characters. Gives the URIs,
        and whether these were all.
        """
        deleted: list[str] = []
        for path, _ in self.storage.found(self.place.folder):
            if most <= 0:
                return sorted(deleted), False
            if self.place.holds(path) and self.storage.delete(path):
                deleted.append(uri_of(path))
                most -= len(deleted[-1])
        return sorted(deleted), True

    def _put(self, path: str, source: BinaryIO) -> str:
        self.storage.put(path, source)
        return uri_of(path)

    def _path(self, uri: str) -> str:
        return readable(
            uri,
            self.place,
            self.parents,
            any_namespace=self.any_namespace,
            refused=self.refused,
        )


@dataclass(frozen=True)
class NamespaceFiles:
    """The files of one namespace, by their path below it, such as `scripts/a.py`."""

    storage: Storage
    namespace: str

    def paths(self) -> list[str]:
        """The paths of all files, in order."""
        return self.paths_within(math.inf) or []

    def paths_within(self, most: float) -> list[str] | None:
        """The paths of all files, in order; None where they are more than ``most`` bytes."""
        folder = f"{namespace_folder(self.namespace)}{FILES}/"
        paths: list[str] = []
        for path, _ in self.storage.found(folder):
            paths.append(path.removeprefix(folder))
            most -= len(paths[-1].encode("utf-8", "surrogatepass"))
            if most < 0:
                return None
        return sorted(paths)

    def open(self, path: str) -> BinaryIO:
        return self.storage.open(namespace_file(self.namespace, path))

    def put(self, path: str, source: BinaryIO) -> str:
        """Write a file, and give its URI."""
        at = namespace_file(self.namespace, path)
        self.storage.put(at, source)
        return uri_of(at)

    def exists(self, path: str) -> bool:
        return self.storage.exists(namespace_file(self.namespace, path))

    def delete(self, path: str) -> bool:
        """Delete a file; tells whether it existed."""
        return self.storage.delete(namespace_file(self.namespace, path))
