"""An execution as the resource that a cluster would hold of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import uuid4

from penstock.engine.identity import Identity
from penstock.flow.document import Flow
from penstock.resources import API_VERSION
from penstock.resources.execution import ExecutionSpec, ExecutionStatus, FlowReference
from penstock.resources.health import with_conditions

_GENERATION = 1
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes puts behind a `generateName`."""


def new_identity(flow: Flow, environment: Mapping[str, str]) -> Identity:
    """A new execution of a flow, named as `generateName` would name it."""
    uid = uuid4()
    random = Random(uid.int)
    slug = re.sub(r"[^a-z0-9]+", "-", flow.id.lower()).strip("-")[:50].strip("-") or "flow"
    return Identity(
        name=f"{slug}-{''.join(random.choice(_ALPHABET) for _ in range(5))}",
        uid=str(uid),
        created=datetime.now(UTC).replace(microsecond=0),
        environment=environment,
    )


def new_spec(flow: Flow, inputs: Mapping[str, Any], labels: Mapping[str, str]) -> ExecutionSpec:
    """What is asked for."""
    reference = FlowReference(namespace=flow.namespace, id=flow.id)
    return ExecutionSpec(flow=reference, inputs=dict(inputs), labels=dict(labels))


def execution_resource(
    identity: Identity, spec: ExecutionSpec, status: ExecutionStatus, refusal: str | None
) -> dict[str, Any]:
    """The Execution as JSON values, with the conditions that tools read."""
    at = status.end_date or datetime.now(UTC)
    return {
        "apiVersion": API_VERSION,
        "kind": "Execution",
        "metadata": {
            "name": identity.name,
            "uid": identity.uid,
            "creationTimestamp": identity.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "generation": _GENERATION,
        },
        "spec": spec.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
        ),
        "status": with_conditions(status, _GENERATION, at, refusal).to_json(),
    }
