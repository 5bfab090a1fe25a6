"""What can go wrong with a file or a key, in words for the flow's author."""

from __future__ import annotations


class StorageError(Exception):
    """The storage can't do what was asked."""


class FileMissing(StorageError):
    """There is no such file."""


class AccessDenied(StorageError):
    """The file is another execution's or another namespace's."""


class FileDamaged(StorageError):
    """What arrived is not what was sent: its digest or its size is another."""


class StorageFull(StorageError):
    """There is no space left."""


class FileTooLarge(StorageError):
    """The file is larger than an administrator allows, or than the store takes."""


class StorageUnavailable(StorageError):
    """The storage did not answer, or broke off; later it may."""
