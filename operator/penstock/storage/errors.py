"""What can go wrong with a file or a key, in words for the flow's author."""

from __future__ import annotations


class StorageError(Exception):
    """The storage can't do what was asked."""


class FileMissing(StorageError):
    """There is no such file."""


class AccessDenied(StorageError):
    """The file is another execution's or another namespace's."""
