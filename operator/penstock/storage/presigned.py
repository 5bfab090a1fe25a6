"""URLs that an object store itself takes, each for one object and one direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from penstock.storage.errors import StorageError

LIFETIME = 3600
"""Seconds for which a URL is good."""


class NoPresigning(StorageError):
    """The credentials of the store can't sign URLs; it says why."""


@dataclass(frozen=True)
class SignedUrl:
    """What a client asks for, and the headers that it has to send along."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    checked: bool = True
    """Whether whoever takes the file refuses it where its digest is not the one that was said.
    Where not, the client has to see to it."""


class Presigner(Protocol):
    """Signs URLs of objects, which are named as the file system names them."""

    @property
    def largest(self) -> int:
        """The most bytes that one PUT may bring."""

    def get(self, at: str) -> SignedUrl: ...

    def put(self, at: str, size: int, digest: str) -> SignedUrl: ...
