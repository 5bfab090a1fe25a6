"""How an execution becomes the Execution that a cluster would hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from penstock.flow.document import Flow
from penstock.resources.execution import ExecutionSpec, FlowReference
from penstock.resources.health import with_conditions
from penstock.resources.names import generated_execution_name
from penstock.resources.new_execution import execution_object

if TYPE_CHECKING:
    from penstock.local.execution import LocalExecution

_GENERATION = 1


@dataclass(frozen=True)
class Made:
    """The metadata that the API server gives an object when it is made."""

    name: str
    uid: str
    created: datetime

    @classmethod
    def new(cls, flow_id: str, name: str | None = None) -> Made:
        """The metadata of a new execution. Without a name it is named as `generateName` would name
        it."""
        uid = uuid4()
        created = datetime.now(UTC).replace(microsecond=0)
        name = name or generated_execution_name(flow_id, Random(uid.int))
        return cls(name, str(uid), created)


def new_spec(flow: Flow, inputs: Mapping[str, Any], labels: Mapping[str, str]) -> ExecutionSpec:
    """The spec of a new execution of a flow."""
    reference = FlowReference(namespace=flow.namespace, id=flow.id)
    return ExecutionSpec(flow=reference, inputs=dict(inputs), labels=dict(labels))


def execution_resource(execution: LocalExecution) -> dict[str, Any]:
    """The Execution as JSON values, with the conditions that tools read."""
    status = execution.status
    at = status.end_date or datetime.now(UTC)
    metadata = {
        "name": execution.name,
        "uid": execution.uid,
        "creationTimestamp": execution.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "generation": _GENERATION,
    }
    spec = execution.spec.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
    )
    told = with_conditions(status, _GENERATION, at, execution.refusal).to_json()
    return execution_object(metadata, spec) | {"status": told}
