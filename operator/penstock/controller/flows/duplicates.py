"""Which of two Flows counts that have the same namespace and id."""

from __future__ import annotations

from penstock.controller.flows.revisions import AcceptedFlow
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import find_flow
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import FlowReference


def older_duplicate(flows: ObjectStore, accepted: AcceptedFlow) -> Object | None:
    """Find the older Flow that has the namespace and id of an accepted one, and counts in its
    place; None where there is none."""
    assert accepted.flow is not None
    meta = accepted.body["metadata"]
    reference = FlowReference(namespace=accepted.flow.namespace, id=accepted.flow.id)
    first = find_flow(flows, meta["namespace"], reference)
    if first is None or first["metadata"]["uid"] == meta["uid"]:
        return None
    return first
