"""Resolves what an execution names: the revision of its flow, and the execution that it replays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from penstock.controller.executions.status_store import StatusStore
from penstock.controller.flows.revisions import AcceptedFlow, RevisionLost, Revisions
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import find_flow
from penstock.engine.decision.engine import Engine
from penstock.engine.state.tree import FlowTree
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.configmap_store import ValueLost
from penstock.resources.execution import (
    Control,
    ExecutionSpec,
    ExecutionStatus,
    PinnedFlow,
    ReplayReference,
)

FLOW_GRACE = 5.0
"""Seconds for which an execution waits for its Flow: both may come from one `kubectl apply`."""


class Refusal(Exception):
    """The execution, or what is wanted of it, can't be. `reason` is one word for the cause."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotYet(Exception):
    """What is needed may still come: look again after some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not there yet, look again in {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Start:
    """All that an execution begins with."""

    engine: Engine
    flow: PinnedFlow
    source: ExecutionStatus | None
    """The status of the execution that is replayed, with all its outputs."""


class Resolution:
    """Finds what executions run."""

    def __init__(
        self,
        executions: ObjectStore,
        flows: ObjectStore,
        revisions: Revisions,
        statuses: StatusStore,
    ) -> None:
        self._executions = executions
        self._flows = flows
        self._revisions = revisions
        self._statuses = statuses

    async def find(self, execution: Object, spec: ExecutionSpec, now: datetime) -> Start:
        """Find what a new execution begins with. Raises ``Refusal`` and ``NotYet``."""
        namespace = execution["metadata"]["namespace"]
        flow = find_flow(self._flows, namespace, spec.flow)
        if flow is None:
            age = now - datetime.fromisoformat(execution["metadata"]["creationTimestamp"])
            if age.total_seconds() < FLOW_GRACE:
                raise NotYet(0.5)
            raise Refusal("FlowNotFound", _not_found(spec))
        accepted = await self._revisions.accept(flow)
        if accepted.engine is None:
            problems = "; ".join(str(problem) for problem in accepted.problems)
            message = f"the Flow {flow['metadata']['name']} is invalid: {problems}"
            raise Refusal("FlowInvalid", message)
        engine, pinned = await self._choose_revision(accepted, spec)
        source = None
        if spec.replay is not None:
            source = await self._source(namespace, spec.replay, pinned)
        return Start(engine, pinned, source)

    async def pinned(self, namespace: str, flow: PinnedFlow) -> Engine:
        """Return the engine of a revision. Raises ``Refusal`` where it is not kept any more."""
        if flow.name is None:
            raise Refusal("InvalidStatus", "the status names no flow")
        try:
            return await self._revisions.pinned(namespace, flow)
        except RevisionLost:
            message = f"revision {flow.revision} of the flow is not kept any more"
            raise Refusal("RevisionNotFound", message) from None

    async def for_restart(self, namespace: str, status: ExecutionStatus, wanted: int) -> Engine:
        """Return the engine of another revision to go on with. Raises ``Refusal``."""
        assert status.flow is not None
        flow = status.flow.model_copy(update={"revision": wanted})
        engine = await self.pinned(namespace, flow)
        tree = FlowTree(engine.flow)
        missing = next((run for run in status.task_runs if run.task_id not in tree), None)
        if missing is not None:
            message = f"revision {wanted} of the flow has no task `{missing.task_id}`, which ran"
            raise Refusal("TaskNotFound", message)
        return engine

    async def _choose_revision(
        self, accepted: AcceptedFlow, spec: ExecutionSpec
    ) -> tuple[Engine, PinnedFlow]:
        newest = accepted.reference
        wanted = spec.flow.revision
        if wanted is None or wanted == newest.revision:
            assert accepted.engine is not None
            return accepted.engine, newest
        pinned = newest.model_copy(update={"revision": wanted})
        return await self.pinned(accepted.body["metadata"]["namespace"], pinned), pinned

    async def _source(
        self, namespace: str, replay: ReplayReference, flow: PinnedFlow
    ) -> ExecutionStatus:
        replayed = self._executions.get(namespace, replay.execution)
        try:
            source = None if replayed is None else await self._statuses.read(replayed)
        except ValueLost as error:
            message = f"outputs of the execution {replay.execution} are lost: {error}"
            raise Refusal("ReplayNotPossible", message) from None
        if source is None:
            message = f"there is no execution {replay.execution} in this namespace that has begun"
            raise Refusal("ReplayNotPossible", message)
        if source.flow is None or (source.flow.namespace, source.flow.id) != (
            flow.namespace,
            flow.id,
        ):
            message = f"the execution {replay.execution} is one of another flow"
            raise Refusal("ReplayNotPossible", message)
        # Large outputs are kept once more: those of the source go with it.
        runs = [run.model_copy(update={"outputs_ref": None}) for run in source.task_runs]
        return source.model_copy(update={"task_runs": runs})


def pending_controls(spec: ExecutionSpec, status: ExecutionStatus) -> list[Control]:
    """List what people want, as far as the status does not tell of it."""
    told = {result.id for result in status.controls}
    return [control for control in spec.controls if control.id not in told]


def wanted_restart(spec: ExecutionSpec, status: ExecutionStatus) -> tuple[Control, int] | None:
    """Find the control that restarts an execution with another revision, and that revision."""
    for control in pending_controls(spec, status):
        wanted = None if control.restart is None else control.restart.revision
        if wanted is not None and status.flow is not None and wanted != status.flow.revision:
            return control, wanted
    return None


def _not_found(spec: ExecutionSpec) -> str:
    wanted = spec.flow
    if wanted.name is not None:
        return f"there is no Flow `{wanted.name}` in this namespace"
    return f"no Flow in this namespace has namespace `{wanted.namespace}` and id `{wanted.id}`"
