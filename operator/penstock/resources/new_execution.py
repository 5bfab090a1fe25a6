"""Builds the Executions that Penstock makes: all of them have their labels and owners from here.

Nothing is copied to an Execution but labels of Penstock's own: those of Argo CD, Helm or Flux would
make these tools prune it or fight over it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from penstock.resources import API_VERSION
from penstock.resources.execution import ExecutionSpec
from penstock.resources.labels import (
    FLOW,
    IGNORE_UPDATES,
    MANAGED_BY,
    MANAGER,
    PARENT_UID,
    TRIGGER,
)
from penstock.resources.names import label_value

KIND = "Execution"


def new_execution(
    namespace: str, name: str, spec: ExecutionSpec, maker: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Build the Execution that is to be created.

    ``maker`` is the Execution that asks for it. Where it is the parent that the spec names, it
    owns the new one; a retry of the maker itself has the owners that the maker has. A replay, and
    whatever a person or a trigger starts, stands for itself.
    """
    labels = _labels_of(spec)
    owners: list[Any] = []
    parent = spec.parent
    if maker is not None and parent is not None:
        meta = maker["metadata"]
        if parent.execution == meta["name"]:
            labels[PARENT_UID] = meta["uid"]
            owners = [_owner(meta)]
        else:
            known = meta.get("labels") or {}
            labels |= {key: known[key] for key in (PARENT_UID,) if key in known}
            owners = list(meta.get("ownerReferences") or [])
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": labels,
        "annotations": {IGNORE_UPDATES: "true"},
        "ownerReferences": owners,
    }
    return execution_object(metadata, _written(spec))


def execution_object(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Put an Execution together of its metadata and its spec as JSON values."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": dict(metadata),
        "spec": dict(spec),
    }


def labels_of_started(flow: str, trigger: str) -> dict[str, str]:
    """Give the labels by which the Executions are found that a trigger of a Flow started."""
    return {FLOW: label_value(flow), TRIGGER: _digest(trigger)}


def _labels_of(spec: ExecutionSpec) -> dict[str, str]:
    labels = {MANAGED_BY: MANAGER}
    if spec.flow.name is not None:
        labels[FLOW] = label_value(spec.flow.name)
    if spec.trigger is not None:
        labels[TRIGGER] = _digest(spec.trigger.id)
    return labels


def _digest(trigger: str) -> str:
    return hashlib.sha256(trigger.encode()).hexdigest()[:16]


def _written(spec: ExecutionSpec) -> dict[str, Any]:
    """Give a spec as JSON values, without what says nothing."""
    written = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    said = {key: value for key, value in written.items() if value is not False}
    return {key: value for key, value in said.items() if value not in ({}, [])}


def _owner(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": False,
        "blockOwnerDeletion": False,
    }
