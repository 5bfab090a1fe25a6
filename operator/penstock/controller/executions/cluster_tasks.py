"""Tasks that the controller does: they change other objects, and their end is told as that of a
Job would be. Asked twice, each finds what was done the first time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from penstock.cluster.errors import ControlFailed
from penstock.cluster.executions import Executions
from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.files.execution_index import ExecutionIndex
from penstock.controller.flows.revisions import Revisions
from penstock.controller.gc.purge_tasks import PurgeTasks
from penstock.controller.runtime.attempt_cache import AttemptStore
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import find_flow
from penstock.controller.runtime.outcomes import Again
from penstock.controller.runtime.status_writer import write_status
from penstock.engine.interface.actions import Observation, Perform, ResumeExecution, ToggleTrigger
from penstock.engine.interface.selecting import CountExecutions
from penstock.expressions import ExpressionError
from penstock.kubernetes.api.client import FLOWS, Api, Object
from penstock.kubernetes.status.child_executions import named
from penstock.resources.execution import Control, FlowReference, ResumeRequest, State
from penstock.resources.flow import FlowStatus
from penstock.tasks.contract.task import TaskFailure


class _Failed(Exception):
    """The task fails. `reason` is one word for the cause."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ClusterTasks:
    """Does what such tasks ask for."""

    def __init__(
        self,
        api: Api,
        executions: ObjectStore,
        flows: ObjectStore,
        revisions: Revisions,
        attempts: AttemptStore,
        known: ExecutionIndex,
        housekeeping: PurgeTasks,
        secrets: SecretLocations,
    ) -> None:
        self._api = api
        self._executions = executions
        self._flows = flows
        self._revisions = revisions
        self._attempts = attempts
        self._known = known
        self._housekeeping = housekeeping
        self._secrets = secrets
        self._waiting: dict[tuple[str, str], set[str]] = {}
        """Executions whose task waits for another one, by that one's namespace and name."""

    async def perform(self, body: Object, action: Perform) -> None:
        """Do it. Raises ``Again`` once the end of the attempt is known."""
        meta, command = body["metadata"], action.command
        seen = self._attempts.attempt(meta["uid"], action.key)
        if seen.outcome is not None:
            return
        started, outputs, done = datetime.now(UTC), None, True
        try:
            match command:
                case ResumeExecution():
                    done = await self._resume(body, action, command)
                case ToggleTrigger():
                    await self._toggle(meta["namespace"], command)
                case CountExecutions():
                    outputs = self._count(meta["namespace"], command)
                case _:
                    self._housekeeping.begin(body, action, command, seen)
                    return
        except (_Failed, ControlFailed) as error:
            seen.outcome = Observation(
                State.FAILED, started, datetime.now(UTC), None, error.reason, str(error)
            )
            raise Again from error
        if done:
            seen.outcome = Observation(State.SUCCESS, started, datetime.now(UTC), outputs=outputs)
            raise Again

    def waiting_for(self, body: Object) -> Iterator[str]:
        """The names of executions whose task waits for this one."""
        meta = body["metadata"]
        yield from self._waiting.pop((meta["namespace"], meta["name"]), ())

    async def _resume(self, body: Object, action: Perform, asked: ResumeExecution) -> bool:
        """Whether the other execution has taken it in."""
        meta = body["metadata"]
        control = _resume_control(meta["uid"], action, self._inputs(body, asked))
        target = self._executions.get(meta["namespace"], asked.execution)
        if target is None:
            message = f"there is no Execution `{asked.execution}` in this namespace"
            raise _Failed("ExecutionNotFound", message)
        results = (target.get("status") or {}).get("controls") or ()
        result = next((item for item in results if item["id"] == control.id), None)
        if result is None:
            key = (meta["namespace"], asked.execution)
            self._waiting.setdefault(key, set()).add(meta["name"])
            executions = Executions(self._api, meta["namespace"])
            await executions.add_control(asked.execution, control)
            return False
        if not result["done"]:
            message = f"the Execution `{asked.execution}` refused: {result.get('message')}"
            raise _Failed("ResumeRefused", message)
        return True

    def _count(self, namespace: str, asked: CountExecutions) -> Mapping[str, Any]:
        try:
            return asked.outputs(self._known.facts(namespace))
        except ExpressionError as error:
            raise _Failed("InvalidExpression", str(error)) from None

    def _inputs(self, body: Object, asked: ResumeExecution) -> dict[str, Any]:
        """What the other execution is given, with secrets by their names."""
        if not asked.secrets:
            return dict(asked.inputs)
        try:
            return named(asked.inputs, asked.secrets, self._secrets.of(body))
        except TaskFailure as error:
            raise _Failed("InvalidTask", str(error)) from None

    async def _toggle(self, namespace: str, asked: ToggleTrigger) -> None:
        reference = FlowReference(namespace=asked.namespace, id=asked.flow_id)
        body = find_flow(self._flows, namespace, reference)
        name = f"{asked.namespace}.{asked.flow_id}"
        if body is None:
            raise _Failed("FlowNotFound", f"there is no flow `{name}` in this Kubernetes namespace")
        accepted = await self._revisions.accept(body)
        triggers = () if accepted.flow is None else accepted.flow.triggers
        if all(trigger.id != asked.trigger for trigger in triggers):
            message = f"the flow `{name}` has no trigger `{asked.trigger}`"
            raise _Failed("TriggerNotFound", message)
        status = FlowStatus.model_validate(body.get("status") or {})
        disabled = set(status.disabled_triggers)
        if asked.enabled == (asked.trigger in disabled):
            disabled ^= {asked.trigger}
            changed = status.model_copy(update={"disabled_triggers": sorted(disabled)})
            await write_status(self._api, FLOWS, self._flows, body, changed.to_json())


def _resume_control(uid: str, action: Perform, inputs: dict[str, Any]) -> Control:
    """Its id is that of the attempt, so that asking twice is asking once."""
    run, number = action.key
    digest = hashlib.sha256(f"{uid}/{run}/{number}".encode()).hexdigest()[:20]
    resume = ResumeRequest(inputs=inputs, by=f"task {action.task_run.task_id}")
    return Control(id=f"resume-{digest}", resume=resume)
