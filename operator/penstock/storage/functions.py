"""The functions of expressions that look at files, for one execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.storage.errors import StorageError
from penstock.storage.execution import ExecutionFiles
from penstock.storage.uris import is_uri, namespace_file, uri_of

MAX_READ_BYTES = 4 * 1024 * 1024
"""What an expression may take of a file, or of a server's answer."""


@dataclass(frozen=True)
class FileFunctions:
    """The functions that look at files. Each raises :class:`StorageError`."""

    files: ExecutionFiles

    def by_name(self) -> Mapping[str, Callable[..., Any]]:
        """The functions by the names that a template writes."""
        return {
            "read": self.read,
            "fileSize": self.size,
            "fileExists": self.exists,
            "isFileEmpty": self.is_empty,
            "fileEmpty": self.is_empty,
        }

    # The names of the arguments are those that a template may write.
    def read(self, path: str, version: int | None = None) -> str:
        """The text of a file, for `read()`."""
        if version is not None:
            raise StorageError("read(): files have no versions")
        with self.files.open(self._uri(path)) as file:
            content = file.read(MAX_READ_BYTES + 1)
        if len(content) > MAX_READ_BYTES:
            raise StorageError(f"read(): `{path}` is larger than 4 MiB")
        return content.decode("utf-8", "replace")

    def size(self, path: str) -> int:
        """The size of a file in bytes, for `fileSize()`."""
        return self.files.size(self._uri(path))

    def exists(self, uri: str) -> bool:
        return self.files.exists(self._uri(uri))

    def is_empty(self, uri: str) -> bool:
        return self.files.size(self._uri(uri)) == 0

    def _uri(self, path: object) -> str:
        """The URI of a file: a text that is no URI is the path of a namespace file."""
        text = str(path)
        if is_uri(text) or "://" in text:
            return text
        return file_uri(self.files.place.namespace, text)


def file_uri(namespace: str, path: str) -> str:
    """The URI of a namespace file. Raises :class:`StorageError`."""
    return uri_of(namespace_file(namespace, str(path)))
