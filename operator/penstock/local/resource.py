"""How an execution becomes the Execution that a cluster would hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from penstock.flow.document import Flow
from penstock.resources import API_VERSION
from penstock.resources.execution import ExecutionSpec, FlowReference
from penstock.resources.health import with_conditions

if TYPE_CHECKING:
    from penstock.local.execution import LocalExecution

_GENERATION = 1
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes puts behind a `generateName`."""


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
        return cls(name or _generated(flow_id, Random(uid.int)), str(uid), created)


def _generated(flow_id: str, random: Random) -> str:
    return f"{slug(flow_id)}-{''.join(random.choice(_ALPHABET) for _ in range(5))}"


def slug(flow_id: str) -> str:
    """The beginning of the names of a flow's executions."""
    return re.sub(r"[^a-z0-9]+", "-", flow_id.lower()).strip("-")[:50].strip("-") or "flow"


def new_spec(flow: Flow, inputs: Mapping[str, Any], labels: Mapping[str, str]) -> ExecutionSpec:
    """The spec of a new execution of a flow."""
    reference = FlowReference(namespace=flow.namespace, id=flow.id)
    return ExecutionSpec(flow=reference, inputs=dict(inputs), labels=dict(labels))


def execution_resource(execution: LocalExecution) -> dict[str, Any]:
    """The Execution as JSON values, with the conditions that tools read."""
    status = execution.status
    at = status.end_date or datetime.now(UTC)
    return {
        "apiVersion": API_VERSION,
        "kind": "Execution",
        "metadata": {
            "name": execution.name,
            "uid": execution.uid,
            "creationTimestamp": execution.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "generation": _GENERATION,
        },
        "spec": execution.spec.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
        ),
        "status": with_conditions(status, _GENERATION, at, execution.refusal).to_json(),
    }
