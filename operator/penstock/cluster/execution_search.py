"""Which Executions somebody looks for, and the newest of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from penstock.kubernetes.api.client import EXECUTIONS, Api, Object
from penstock.resources.execution import State


@dataclass(frozen=True)
class ExecutionFilter:
    """What an Execution has to be, to be found."""

    namespace: str | None = None
    """The flow's own dotted namespace."""
    flow: str | None = None
    """The flow's id."""
    states: frozenset[State] = frozenset()
    """One of these states; any where there is none."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """All of these labels, as expressions see them."""
    limit: int | None = None
    """How many are wanted at most."""

    def admits(self, body: Object) -> bool:
        """Whether an Execution is one that is looked for."""
        namespace, flow_id = flow_of(body)
        labels = labels_of(body)
        return (
            self.namespace in (None, namespace)
            and self.flow in (None, flow_id)
            and (not self.states or state_of(body) in self.states)
            and all(labels.get(key) == value for key, value in self.labels.items())
        )


@dataclass(frozen=True)
class FoundExecutions:
    """The newest Executions that were looked for."""

    bodies: list[Object]
    left_out: int
    """How many more there are."""


async def search(api: Api, namespace: str, wanted: ExecutionFilter) -> FoundExecutions:
    """Find the newest Executions of a Kubernetes namespace, newest first. No more of them are in
    memory than are wanted, and a page."""
    found: list[Object] = []
    count = 0
    async for page in api.pages(EXECUTIONS, namespace):
        if page.is_first:
            found, count = [], 0
        chosen = [body for body in page.items if wanted.admits(body)]
        count += len(chosen)
        found = sorted([*found, *chosen], key=_age)[: wanted.limit]
    return FoundExecutions(sorted(found, key=_age), count - len(found))


def flow_of(body: Object) -> tuple[str | None, str | None]:
    """Tell the namespace and the id of the flow that an Execution runs, or is to run. Before it
    begins they are not known where its spec names the Flow."""
    status, spec = body.get("status") or {}, body.get("spec") or {}
    flow = status.get("flow") or spec.get("flow") or {}
    return flow.get("namespace"), flow.get("id")


def labels_of(body: Object) -> dict[str, str]:
    """Give the labels of an Execution, those of its flow included once it has begun."""
    status, spec = body.get("status") or {}, body.get("spec") or {}
    labels: dict[str, str] = status.get("labels") or spec.get("labels") or {}
    return labels


def state_of(body: Object) -> State:
    """Tell the state of an Execution; CREATED until the controller has looked at it."""
    return State((body.get("status") or {}).get("state") or State.CREATED)


def _age(body: Object) -> tuple[float, str]:
    meta = body["metadata"]
    created = datetime.fromisoformat(meta["creationTimestamp"])
    return -created.timestamp(), meta["name"]
