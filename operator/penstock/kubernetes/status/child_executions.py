"""The Executions that other Executions make: pure functions from what the engine asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.engine.interface.actions import StartExecution
from penstock.engine.interface.secrets import Secrets, key_reference
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.secrets.locations import SecretPlaces
from penstock.resources.execution import ExecutionSpec
from penstock.resources.new_execution import new_execution


def build_execution(
    maker: Object, action: StartExecution, places: SecretPlaces | None = None
) -> Object:
    """The Execution that another asks for. Its parent owns it, where it has one.

    ``places`` are those of the secrets in its inputs. Raises ``TaskFailure`` for a secret without a
    place.
    """
    spec = _by_name(action.spec, action.secrets, places)
    return new_execution(maker["metadata"]["namespace"], action.name, spec, maker)


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
