"""Values that are kept beside an Execution, in ConfigMaps that it owns.

Text is compressed: a ConfigMap holds 1 MiB.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from penstock.kubernetes.api import CONFIG_MAPS, Api, ApiError, Object
from penstock.kubernetes.labels import EXECUTION_UID, IGNORE_UPDATES, MANAGED_BY


class Reference(Protocol):
    """Where a value is kept."""

    @property
    def config_map(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def sha256(self) -> str: ...


def encode(value: object) -> bytes:
    """A value as it is kept: JSON, as short as it can be written."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def value_in(body: Object, reference: Reference) -> Any:
    """The value in a ConfigMap. Raises ``ValueError`` where it is not what was written."""
    text = gzip.decompress(base64.b64decode(body["binaryData"][reference.key]))
    if digest(text) != reference.sha256:
        raise ValueError(f"the ConfigMap {reference.config_map} was changed by somebody else")
    return json.loads(text)


async def keep(
    api: Api,
    execution: Object,
    reference: Reference,
    text: bytes,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Let the ConfigMap hold the text. One that is there was left by a controller that was stopped
    before it wrote the status; one of somebody else raises ``ApiError``."""
    namespace = execution["metadata"]["namespace"]
    body = _config_map(execution, reference, text, labels or {})
    try:
        await api.create(CONFIG_MAPS, namespace, body)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
        existing = await api.get(CONFIG_MAPS, namespace, reference.config_map)
        refuse_foreign(existing, execution)
        patch = {"binaryData": body["binaryData"]}
        await api.patch(CONFIG_MAPS, namespace, reference.config_map, patch)


def refuse_foreign(existing: Object, execution: Object) -> None:
    """Raises ``ApiError`` where a ConfigMap that is already there is not the execution's."""
    owners = existing["metadata"].get("ownerReferences", [])
    if all(owner.get("uid") != execution["metadata"]["uid"] for owner in owners):
        name = existing["metadata"]["name"]
        raise ApiError(409, "NameClash", f"the ConfigMap {name} belongs to somebody else")


def owned_meta(
    execution: Object, name: str, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The metadata of an object that goes with an Execution."""
    meta = execution["metadata"]
    return {
        "name": name,
        "namespace": meta["namespace"],
        "labels": {EXECUTION_UID: meta["uid"], **(labels or {}), MANAGED_BY: "penstock"},
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
        "binaryData": {
            reference.key: base64.b64encode(gzip.compress(text, mtime=0)).decode("ascii")
        },
    }
