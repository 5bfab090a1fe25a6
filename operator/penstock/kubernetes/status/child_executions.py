"""The Executions that other Executions make: pure functions from what the engine asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.engine.interface.actions import StartExecution
from penstock.engine.interface.secrets import Secrets, key_reference
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.labels import IGNORE_UPDATES, MANAGED_BY, PARENT_UID
from penstock.kubernetes.secrets.locations import SecretPlaces
from penstock.resources import API_VERSION
from penstock.resources.execution import ExecutionSpec


def build_execution(
    maker: Object, action: StartExecution, places: SecretPlaces | None = None
) -> Object:
    """The Execution that another asks for. Its parent owns it, where it has one.

    ``places`` are those of the secrets in its inputs. Raises ``TaskFailure`` for a secret without a
    place.
    """
    meta = maker["metadata"]
    labels: dict[str, str] = {MANAGED_BY: "penstock"}
    owned_by: list[Any] = []
    parent = action.spec.parent
    if parent is not None and parent.execution == meta["name"]:
        labels[PARENT_UID] = meta["uid"]
        owned_by = [_owner_reference(maker)]
    elif parent is not None:  # a retry of the maker itself: it has the same parent
        own = meta.get("labels") or {}
        labels |= {key: own[key] for key in (PARENT_UID,) if key in own}
        owned_by = list(meta.get("ownerReferences") or [])
    return {
        "apiVersion": API_VERSION,
        "kind": "Execution",
        "metadata": {
            "name": action.name,
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": {IGNORE_UPDATES: "true"},
            "ownerReferences": owned_by,
        },
        "spec": _written(_by_name(action.spec, action.secrets, places)),
    }


def named(inputs: Mapping[str, Any], secrets: Secrets, places: SecretPlaces) -> dict[str, Any]:
    """Inputs with the names of secrets in the place of their tokens. Raises ``TaskFailure``."""

    def by_name(value: Any) -> Any:
        reference = secrets.plain.get(value) if isinstance(value, str) else None
        if reference is None:
            return value
        place = places.of(reference, secrets.namespace)
        return key_reference(place.name, place.key)

    return {id: by_name(value) for id, value in inputs.items()}


def _by_name(spec: ExecutionSpec, secrets: Secrets, places: SecretPlaces | None) -> ExecutionSpec:
    if not secrets or places is None:
        return spec
    return spec.model_copy(update={"inputs": named(spec.inputs, secrets, places)})


def is_meant(existing: Object, wanted: Object) -> bool:
    """Whether an existing Execution is the wanted one: made for the same task run, retry or replay,
    and of the same owner."""
    try:
        theirs = ExecutionSpec.model_validate(existing.get("spec"))
    except ValueError:
        return False
    mine = ExecutionSpec.model_validate(wanted["spec"])
    return _made_for(theirs) == _made_for(mine) and owners(existing) == owners(wanted)


def _made_for(spec: ExecutionSpec) -> tuple[object, ...]:
    """The task run, retry or replay for which an Execution was made. The attempt does not matter:
    one that restarts an execution means that of an earlier attempt."""
    parent = spec.parent
    of_parent = None if parent is None else (parent.execution, parent.task_run)
    return of_parent, spec.retry, spec.replay


def is_left_over(existing: Object, wanted: Object) -> bool:
    """Whether an existing Execution is being deleted, or belongs to an owner that is gone and had
    the name of the present one."""
    if existing["metadata"].get("deletionTimestamp"):
        return True
    parent = (wanted["spec"].get("parent") or {}).get("execution")
    mine = owners(wanted)
    references = existing["metadata"].get("ownerReferences") or ()
    return any(item["name"] == parent and item["uid"] not in mine for item in references)


def owners(body: Object) -> set[str]:
    """The uids of an object's owners."""
    return {owner["uid"] for owner in body["metadata"].get("ownerReferences") or ()}


def _written(spec: ExecutionSpec) -> dict[str, Any]:
    """A spec as JSON, without empty properties."""
    written = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    empty: tuple[object, ...] = ({}, [], False)
    return {key: value for key, value in written.items() if value not in empty}


def _owner_reference(body: Object) -> dict[str, Any]:
    meta = body["metadata"]
    return {
        "apiVersion": API_VERSION,
        "kind": "Execution",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": False,
        "blockOwnerDeletion": False,
    }
