"""The errors of the storage, in words for the flow's author."""

from __future__ import annotations


class StorageError(Exception):
    """The storage can't do what was asked."""


class FileMissing(StorageError):
    """The file does not exist."""


class AccessDenied(StorageError):
    """The file is another execution's or another namespace's."""


class FileDamaged(StorageError):
    """A file changed on its way: its digest or its size is another."""


class StorageFull(StorageError):
    """The storage has no space left."""


class FileTooLarge(StorageError):
    """The file is larger than an administrator allows, or than the store takes."""


class StorageUnavailable(StorageError):
    """The storage did not answer, or broke off. It may answer later."""
