"""What an execution asks for when a task of it is done by another one: the child's flow, inputs and
labels, and who its parent is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.engine.interface.actions import StartExecution
from penstock.engine.interface.executable import ChildRequest, ExecutableTask
from penstock.engine.interface.flowable import FlowableError
from penstock.engine.interface.identity import Identity
from penstock.engine.interface.limits import Limits
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.flow.document import Flow
from penstock.resources.execution import (
    ExecutionSpec,
    FlowReference,
    ParentReference,
    TaskRun,
    TriggerReference,
)


class ChildRequests:
    """Writes the specs of the executions that one execution makes, during one decision."""

    def __init__(
        self,
        flow: Flow,
        identity: Identity,
        evaluation: Evaluation,
        changes: ExecutionChanges,
        limits: Limits,
    ) -> None:
        self._flow = flow
        self._identity = identity
        self._evaluation = evaluation
        self._changes = changes
        self._limits = limits

    def start(
        self, name: str, run: TaskRun, task: ExecutableTask, own: Mapping[str, Any]
    ) -> StartExecution:
        """Ask for the child of that name, for the last attempt of a task run; `own` are variables
        that this child's expressions see beside the others'. Raises ``FlowableError`` or
        ``ExpressionError``."""
        depth = self._identity.depth + 1
        if depth > self._limits.depth:
            raise FlowableError(
                f"executions are nested more than {self._limits.depth} deep: "
                "does a flow run itself?"
            )
        evaluator = self._evaluation.of_request(run, task, own)
        asked = task.request(evaluator)
        spec = ExecutionSpec(
            flow=FlowReference(
                namespace=asked.namespace, id=asked.flow_id, revision=asked.revision
            ),
            inputs=asked.inputs,
            labels=self._labels(asked),
            trigger=self._trigger(task),
            schedule_date=asked.schedule_date,
            parent=ParentReference(
                execution=self._identity.name,
                task_run=run.id,
                attempt=run.attempts[-1].number,
                depth=depth,
            ),
        )
        return StartExecution(name, spec, evaluator.secrets)

    def _trigger(self, task: ExecutableTask) -> TriggerReference:
        return TriggerReference(
            id=task.id,
            type=task.type,
            variables={
                "executionId": self._identity.name,
                "namespace": self._flow.namespace,
                "flowId": self._flow.id,
                "flowRevision": self._identity.revision,
            },
        )

    def _labels(self, asked: ChildRequest) -> dict[str, str]:
        inherited = {
            key: value
            for key, value in self._changes.labels.items()
            if asked.inherit_labels or key.startswith("system.")
        }
        return {**inherited, **asked.labels}
