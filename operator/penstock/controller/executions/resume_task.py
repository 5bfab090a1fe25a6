"""Tasks that resume another execution: they put a control into its spec, and await the result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from penstock.cluster.executions import Executions
from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.executions.task_failed import ClusterTaskFailed
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore
from penstock.engine.interface.actions import Perform, ResumeExecution
from penstock.kubernetes.api.client import Api, Object
from penstock.kubernetes.status.child_executions import named
from penstock.resources.execution import Control, ResumeRequest
from penstock.tasks.contract.task import TaskFailure


@dataclass(frozen=True)
class WaitsForExecution:
    """Marks an execution whose task waits for the news of another one."""

    namespace: str
    name: str
    """The name of the other execution."""


class ResumeTasks:
    """Resumes executions for tasks."""

    def __init__(
        self,
        api: Api,
        executions: ObjectStore,
        memories: ExecutionMemories,
        secrets: SecretLocations,
    ) -> None:
        self._api = api
        self._executions = executions
        self._memories = memories
        self._secrets = secrets

    async def resume(self, execution: Object, action: Perform, asked: ResumeExecution) -> bool:
        """Ask another execution to go on. Tells whether it has done so; until then the execution
        is marked as one that waits for it. Raises ``ClusterTaskFailed`` and ``ControlFailed``."""
        meta = execution["metadata"]
        control = _resume_control(meta["uid"], action, self._inputs(execution, asked))
        target = self._executions.get(meta["namespace"], asked.execution)
        if target is None:
            message = f"there is no Execution `{asked.execution}` in this namespace"
            raise ClusterTaskFailed("ExecutionNotFound", message)
        results = (target.get("status") or {}).get("controls") or ()
        result = next((item for item in results if item["id"] == control.id), None)
        if result is None:
            self._memories.mark(execution, WaitsForExecution(meta["namespace"], asked.execution))
            executions = Executions(self._api, meta["namespace"])
            await executions.add_control(asked.execution, control)
            return False
        if not result["done"]:
            message = f"the Execution `{asked.execution}` refused: {result.get('message')}"
            raise ClusterTaskFailed("ResumeRefused", message)
        return True

    def _inputs(self, execution: Object, asked: ResumeExecution) -> dict[str, Any]:
        """Build what the other execution is given, with secrets by their names."""
        if not asked.secrets:
            return dict(asked.inputs)
        try:
            return named(asked.inputs, asked.secrets, self._secrets.of(execution))
        except TaskFailure as error:
            raise ClusterTaskFailed("InvalidTask", str(error)) from None


def _resume_control(uid: str, action: Perform, inputs: dict[str, Any]) -> Control:
    """Build the control. Its id is that of the attempt, so that asking twice is asking once."""
    run, number = action.key
    digest = hashlib.sha256(f"{uid}/{run}/{number}".encode()).hexdigest()[:20]
    resume = ResumeRequest(inputs=inputs, by=f"task {action.task_run.task_id}")
    return Control(id=f"resume-{digest}", resume=resume)
