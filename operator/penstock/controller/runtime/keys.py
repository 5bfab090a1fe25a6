"""The keys under which indexes find Flows, Executions and TriggerStates, beside their names."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from penstock.cluster.flows import flow_name, oldest
from penstock.controller.runtime.indexes import ObjectStore
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import FlowReference
from penstock.resources.flow_leave import leave_of
from penstock.triggers.sources import source_type


@dataclass(frozen=True)
class ChildOf:
    """Under this key an execution finds those that it made."""

    namespace: str
    parent: str


@dataclass(frozen=True)
class RetryOf:
    """Under this key an execution finds those that do it again."""

    namespace: str
    original: str


@dataclass(frozen=True)
class InNamespace:
    """Under this key all executions of a Kubernetes namespace are found."""

    namespace: str


@dataclass(frozen=True)
class LeaveGivenIn:
    """Under this key all Flows of a Kubernetes namespace are found that let triggers of others
    listen to their executions."""

    namespace: str


@dataclass(frozen=True)
class StartedBy:
    """Under this key a trigger of a Flow finds the executions that it started."""

    namespace: str
    flow: str
    trigger: str


@dataclass(frozen=True)
class SourceTriggersIn:
    """Under this key all TriggerStates of a Kubernetes namespace are found that may be of triggers
    for a listener."""

    namespace: str


def started_by(body: Object) -> StartedBy | None:
    """Tell which trigger started an Execution; None where a task of another one did, a person, or
    where the Flow is not known yet."""
    spec = body.get("spec") or {}
    trigger = (spec.get("trigger") or {}).get("id")
    pinned = ((body.get("status") or {}).get("flow") or {}).get("name")
    flow = pinned or (spec.get("flow") or {}).get("name")
    if not trigger or not flow or spec.get("parent"):
        return None
    return StartedBy(body["metadata"]["namespace"], str(flow), str(trigger))


def execution_keys(body: Object) -> Iterable[Hashable]:
    """An Execution is looked for by its flow (by the Flow's name once it has begun, until then
    as it was asked for), by its namespace, and by its relatives.
    """
    namespace = body["metadata"]["namespace"]
    yield InNamespace(namespace)
    pinned = (body.get("status") or {}).get("flow") or {}
    asked = (body.get("spec") or {}).get("flow") or {}
    name = pinned.get("name") or asked.get("name")
    if name:
        yield namespace, str(name)
    else:
        yield namespace, str(asked.get("namespace")), str(asked.get("id"))
    if (trigger := started_by(body)) is not None:
        yield trigger
    yield from _relative_keys(body)


def _relative_keys(body: Object) -> Iterable[Hashable]:
    """The relatives of an execution, as its spec names them."""
    namespace, spec = body["metadata"]["namespace"], body.get("spec") or {}
    if parent := (spec.get("parent") or {}).get("execution"):
        yield ChildOf(namespace, str(parent))
    if original := (spec.get("retry") or {}).get("original"):
        yield RetryOf(namespace, str(original))


def flow_keys(body: Object) -> Iterable[Hashable]:
    """A Flow is looked for by the namespace and id that stand in it; one that lets triggers of
    other Kubernetes namespaces listen, by its own."""
    namespace = body["metadata"]["namespace"]
    yield namespace, *flow_name(body)
    if leave_of(body)[0]:
        yield LeaveGivenIn(namespace)


def trigger_state_keys(body: Object) -> Iterable[Hashable]:
    """A TriggerState is looked for by its Flow; one that a listener serves, by its namespace."""
    namespace = body["metadata"]["namespace"]
    yield namespace, str((body.get("spec") or {}).get("flow"))
    if is_source_trigger(body):
        yield SourceTriggersIn(namespace)


def is_source_trigger(state: Object) -> bool:
    """Tell whether a TriggerState is of a trigger for a listener, once its type is known."""
    type = (state.get("status") or {}).get("type")
    return isinstance(type, str) and source_type(type) is not None


def find_flow(flows: ObjectStore, namespace: str, reference: FlowReference) -> Object | None:
    """The Flow that a reference names; of two with the same id the older one."""
    if reference.name is not None:
        return flows.get(namespace, reference.name)
    found = flows.find((namespace, str(reference.namespace), str(reference.id)))
    return oldest(found)
