"""Tasks that the controller does: they change other objects, and their end is told as that of a
Job would be. Asked twice, each finds what was done the first time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from penstock.cluster.errors import ControlFailed
from penstock.controller.executions.resume_task import ResumeTasks
from penstock.controller.executions.task_failed import ClusterTaskFailed
from penstock.controller.executions.toggle_task import ToggleTasks
from penstock.controller.files.execution_index import ExecutionIndex
from penstock.controller.gc.purge_tasks import PurgeTasks
from penstock.controller.runtime.attempt_cache import AttemptStore
from penstock.controller.runtime.outcomes import Again
from penstock.engine.interface.actions import Observation, Perform, ResumeExecution, ToggleTrigger
from penstock.engine.interface.selecting import CountExecutions
from penstock.expressions import ExpressionError
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import State


class ClusterTasks:
    """Does what such tasks ask for."""

    def __init__(
        self,
        attempts: AttemptStore,
        resume_tasks: ResumeTasks,
        toggle_tasks: ToggleTasks,
        purge_tasks: PurgeTasks,
        execution_index: ExecutionIndex,
    ) -> None:
        self._attempts = attempts
        self._resume_tasks = resume_tasks
        self._toggle_tasks = toggle_tasks
        self._purge_tasks = purge_tasks
        self._execution_index = execution_index

    async def perform(self, execution: Object, action: Perform) -> None:
        """Do what a task asks for. Raises ``Again`` once the end of the attempt is known."""
        meta, command = execution["metadata"], action.command
        seen = self._attempts.attempt(meta["uid"], action.key)
        if seen.outcome is not None:
            return
        started, outputs, done = datetime.now(UTC), None, True
        try:
            match command:
                case ResumeExecution():
                    done = await self._resume_tasks.resume(execution, action, command)
                case ToggleTrigger():
                    await self._toggle_tasks.toggle(execution, command)
                case CountExecutions():
                    outputs = self._count(meta["namespace"], command)
                case _:
                    self._purge_tasks.begin(execution, action, command, seen)
                    return
        except (ClusterTaskFailed, ControlFailed) as error:
            seen.outcome = Observation(
                State.FAILED, started, datetime.now(UTC), None, error.reason, str(error)
            )
            raise Again from error
        if done:
            seen.outcome = Observation(State.SUCCESS, started, datetime.now(UTC), outputs=outputs)
            raise Again

    def _count(self, namespace: str, asked: CountExecutions) -> Mapping[str, Any]:
        try:
            return asked.outputs(self._execution_index.facts(namespace))
        except ExpressionError as error:
            raise ClusterTaskFailed("InvalidExpression", str(error)) from None
