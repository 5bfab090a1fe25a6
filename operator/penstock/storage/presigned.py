"""URLs that an object store itself takes, each for one object and one direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from penstock.storage.errors import StorageError

LIFETIME = 900
"""Seconds for which a URL is valid. Whoever gets one uses it at once; a transfer that has begun by
then goes on, and one that breaks off asks for another URL."""


class NoPresigning(StorageError):
    """The credentials of the store can't sign URLs; it says why."""


@dataclass(frozen=True)
class SignedUrl:
    """A signed URL, and the headers that a client has to send along."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    checked: bool = True
    """Whether the server refuses a file whose digest is not the announced one. Where it does not,
    the client has to compare."""


class Presigner(Protocol):
    """Signs URLs of objects, which are named as the file system names them."""

    @property
    def largest(self) -> int:
        """The most bytes that one PUT may send."""

    def get(self, at: str) -> SignedUrl: ...

    def put(self, at: str, size: int, digest: str) -> SignedUrl: ...
