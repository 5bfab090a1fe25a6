"""Penstock's own signatures: whoever holds the key can grant something, and verify that it did.

A signature is HMAC-SHA256 over a word that names the kind of the signed thing and over its parts,
so that a thing of one kind is never taken for one of another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any, Literal

from penstock.storage.errors import AccessDenied

Method = Literal["GET", "PUT"]


@dataclass(frozen=True)
class OneObject:
    """The permission of a signed URL: one object, one direction, until a time."""

    method: Method
    tenant: str
    path: str
    expires: int
    """The end of the permission, in seconds since 1970."""
    size: int | None = None
    """The size of the file that is put, in bytes."""
    digest: str | None = None
    """The SHA-256 of the file that is put."""
    namespace: str = ""
    """The uid of the Kubernetes namespace to which the tenant's folder has to belong; empty for
    any."""

    def signature(self, key: bytes) -> str:
        parts = [self.method, self.tenant, self.path, self.expires, self.size, self.digest]
        parts += [self.namespace] if self.namespace else []
        text = "\n".join("" if part is None else str(part) for part in parts)
        return sign(key, "url", text.encode())

    def check(self, key: bytes, signature: str) -> None:
        """Refuse a wrong signature, or one whose time is over. Raises :class:`AccessDenied`."""
        if not matches(self.signature(key), signature):
            raise AccessDenied("the URL's signature is not right")
        if self.expires < time.time():
            raise AccessDenied("the URL has expired")


def sign(key: bytes, kind: str, data: bytes) -> str:
    """Sign data of a kind; the signature is in hexadecimal digits."""
    return hmac.new(key, f"penstock/1 {kind}\n".encode() + data, hashlib.sha256).hexdigest()


def matches(right: str, given: str) -> bool:
    """Whether two signatures are equal, compared in a time that tells nothing."""
    return hmac.compare_digest(right.encode(), given.encode("utf-8", "surrogatepass"))


def sealed(key: bytes, kind: str, document: Any) -> str:
    """A JSON document as a signed text. It is always the same text for the same document."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    payload = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return f"{payload}.{sign(key, kind, payload.encode())}"


def unsealed(key: bytes, kind: str, token: str) -> Any:
    """The document of a signed text. Raises :class:`AccessDenied` where it is none of this kind."""
    payload, _, signature = token.partition(".")
    if not matches(sign(key, kind, payload.encode("utf-8", "surrogatepass")), signature):
        raise AccessDenied(f"the {kind}'s signature is not right")
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
