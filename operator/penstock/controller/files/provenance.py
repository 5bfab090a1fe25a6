"""Which execution called another: the controller signs what it makes, and knows it again.

Anybody who may create Executions may write a parent and an owner into one. So the controller puts a
signature beside them, of all that the execution is asked for, with the key of the internal storage;
an execution that begins with such a signature has its caller noted in its status, for good. Whoever
copies the signature gets the same execution once more, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.labels import CALLED_BY
from penstock.resources.execution import CallerReference, ExecutionSpec
from penstock.resources.stored_values import as_stored
from penstock.storage.signing import matches, sign

_SIGNED = {"flow", "inputs", "labels", "parent", "retry", "replay", "trigger"}
"""The fields of a spec that say what is run, and with what: they are fixed once it is created."""


class Provenance:
    """Signs executions, and tells who called one."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        """``key`` raises ``StorageUnavailable`` until the storage was there once."""
        self._key = key

    def signed(self, maker: Object, wanted: Object) -> Object:
        """An Execution that is about to be made, with a signature where another one calls it.

        Raises :class:`~penstock.storage.errors.StorageUnavailable`.
        """
        caller = _caller(maker, wanted)
        if caller is None:
            return wanted
        meta = wanted["metadata"]
        annotations = {**meta["annotations"], CALLED_BY: _signature(self._key(), wanted, caller)}
        return {**wanted, "metadata": {**meta, "annotations": annotations}}

    def caller(self, body: Object) -> CallerReference | None:
        """The execution that called one; None where the controller knows of none.

        Raises :class:`~penstock.storage.errors.StorageUnavailable` where it is still to begin.
        """
        status = body.get("status") or {}
        if status.get("state"):
            noted = status.get("calledBy")
            return None if noted is None else CallerReference.model_validate(noted)
        given = (body["metadata"].get("annotations") or {}).get(CALLED_BY)
        claimed = _claimed(body)
        if given is None or claimed is None:
            return None
        return claimed if matches(_signature(self._key(), body, claimed), str(given)) else None


def _caller(maker: Object, wanted: Object) -> CallerReference | None:
    """Tells who calls an execution: its maker, or, where it is a retry of its maker, whoever called
    that one."""
    parent = (wanted["spec"].get("parent") or {}).get("execution")
    meta = maker["metadata"]
    if parent is None:
        return None
    if parent == meta["name"]:
        return CallerReference(execution=parent, uid=meta["uid"])
    noted = (maker.get("status") or {}).get("calledBy") or {}
    same = noted.get("execution") == parent
    return CallerReference.model_validate(noted) if same else None


def _claimed(body: Object) -> CallerReference | None:
    """The parent that an execution names, which must be an owner as well."""
    parent = ((body.get("spec") or {}).get("parent") or {}).get("execution")
    for owner in body["metadata"].get("ownerReferences") or ():
        if parent and owner.get("kind") == "Execution" and owner.get("name") == parent:
            return CallerReference(execution=str(parent), uid=str(owner["uid"]))
    return None


def _signature(key: bytes, body: Object, caller: CallerReference) -> str:
    meta = body["metadata"]
    spec = ExecutionSpec.model_validate(body["spec"]).model_dump(
        mode="json", by_alias=True, include=_SIGNED
    )
    parts = [meta["namespace"], meta["name"], caller.execution, caller.uid, as_stored(spec)]
    return sign(key, "called-by", json.dumps(parts, sort_keys=True).encode())
