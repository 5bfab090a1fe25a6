"""Values that are kept beside an Execution, in ConfigMaps that it owns.

Text is compressed: a ConfigMap holds 1 MiB.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any, Protocol

from penstock.kubernetes.api.client import CONFIG_MAPS, Api, ApiError, Object
from penstock.kubernetes.api.labels import EXECUTION_UID
from penstock.resources.labels import IGNORE_UPDATES, MANAGED_BY, MANAGER

_OWN_NAME = 180
"""Characters of an Execution's name in the names of its ConfigMaps."""
_DIGITS = 16
"""Hexadecimal digits of a text's digest there."""


class Reference(Protocol):
    """Where a value is kept."""

    @property
    def config_map(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class KeptError(Exception):
    """What is kept beside an Execution can't be had, or not be kept, until a person does something.
    `reason` is one word for the cause."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ValueLost(KeptError):
    """A ConfigMap is gone, or is not what was written."""


class NameTaken(KeptError):
    """A ConfigMap of the name is there, and somebody else's."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "NameClash",
            f"the ConfigMap {name} belongs to somebody else: delete it, or give it another name",
        )


class LeftBehind(KeptError):
    """A ConfigMap of the name belongs to a deleted Execution, whose name the Execution has: the
    garbage collector will delete it."""

    def __init__(self, name: str) -> None:
        super().__init__("LeftOver", f"the ConfigMap {name} of a deleted namesake is still there")


def encode(value: object) -> bytes:
    """A value as it is kept: JSON, as short as it can be written."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def value_in(body: Object, reference: Reference) -> Any:
    """The value in a ConfigMap. Raises ``ValueLost`` where it is not what was written."""
    try:
        text = gzip.decompress(base64.b64decode(body["binaryData"][reference.key]))
    except (KeyError, TypeError, ValueError, EOFError, OSError, zlib.error):
        text = b""
    if digest(text) != reference.sha256:
        raise ValueLost(
            "ValueChanged",
            f"the ConfigMap {reference.config_map} was changed by somebody else: put back what was "
            "in it, or delete the Execution",
        )
    return json.loads(text)


async def fetch(api: Api, namespace: str, reference: Reference, what: str) -> Any:
    """The value that is kept. Raises ``ValueLost``; `what` is said to be lost with it."""
    try:
        body = await api.get(CONFIG_MAPS, namespace, reference.config_map)
    except ApiError as error:
        if not error.not_found:
            raise
        raise ValueLost(
            "ValueGone",
            f"the ConfigMap {reference.config_map}, which holds {what}, is gone: put it back, or "
            "delete the Execution",
        ) from None
    return value_in(body, reference)


def kept_name(execution: Object, kind: str, sha256: str) -> str:
    """The name of the ConfigMap that holds one text of an Execution: another for each text, since
    a ConfigMap that Penstock made is never changed."""
    return f"{execution['metadata']['name'][:_OWN_NAME].rstrip('-.')}-{kind}-{sha256[:_DIGITS]}"


async def keep(
    api: Api,
    execution: Object,
    reference: Reference,
    text: bytes,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Let the ConfigMap hold the text. One that is there was left by a controller that was stopped
    before it wrote the status, and holds the text; any other raises ``KeptError``."""
    namespace = execution["metadata"]["namespace"]
    body = _config_map(execution, reference, text, labels or {})
    try:
        await api.create(CONFIG_MAPS, namespace, body)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
        existing = await api.get(CONFIG_MAPS, namespace, reference.config_map)
        refuse_foreign(existing, execution)
        value_in(existing, reference)


def refuse_foreign(existing: Object, execution: Object) -> None:
    """Refuse a ConfigMap that is already there and not the execution's. Raises ``NameTaken`` or
    ``LeftBehind``."""
    owners = existing["metadata"].get("ownerReferences") or []
    meta, name = execution["metadata"], existing["metadata"]["name"]
    if any(owner.get("uid") == meta["uid"] for owner in owners):
        return
    if any(owner.get("name") == meta["name"] for owner in owners):
        raise LeftBehind(name)
    raise NameTaken(name)


def owned_meta(
    execution: Object, name: str, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The metadata of an object that goes with an Execution."""
    meta = execution["metadata"]
    return {
        "name": name,
        "namespace": meta["namespace"],
        "labels": {EXECUTION_UID: meta["uid"], **(labels or {}), MANAGED_BY: MANAGER},
        "annotations": {IGNORE_UPDATES: "true"},
        "ownerReferences": [
            {
                "apiVersion": execution["apiVersion"],
                "kind": execution["kind"],
                "name": meta["name"],
                "uid": meta["uid"],
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


def _config_map(
    execution: Object, reference: Reference, text: bytes, labels: Mapping[str, str]
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owned_meta(execution, reference.config_map, labels),
        "immutable": True,
        "binaryData": {
            reference.key: base64.b64encode(gzip.compress(text, mtime=0)).decode("ascii")
        },
    }
