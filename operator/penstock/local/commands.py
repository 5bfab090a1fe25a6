"""The commands that tasks give on this machine: resume an execution, toggle a trigger, purge,
count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from penstock.engine.interface.actions import (
    Observation,
    Perform,
    Purge,
    ResumeExecution,
    ToggleTrigger,
)
from penstock.engine.interface.selecting import CountExecutions
from penstock.expressions import ExpressionError
from penstock.local.attempts import Seen
from penstock.local.execution import LocalExecution
from penstock.local.flows import LocalFlows
from penstock.local.housekeeping import LocalHousekeeping
from penstock.local.services import LocalServices
from penstock.resources.execution import Control, ControlResult, ResumeRequest, State
from penstock.storage.errors import StorageError


class LocalCommands:
    """Does the commands of tasks, and tells how they ended."""

    def __init__(
        self,
        flows: LocalFlows,
        executions: Mapping[str, LocalExecution],
        control: Callable[[str, Control], None],
        tell: Callable[[Seen], None],
        services: LocalServices | None = None,
    ) -> None:
        self._flows = flows
        self._house = LocalHousekeeping(executions, services)
        self._control = control
        self._tell = tell
        self._asked: dict[tuple[str, str], tuple[str, Perform]] = {}
        self._enabled: dict[tuple[str, str, str], bool] = {}

    def perform(self, execution: str, action: Perform) -> None:
        """Do the command of a task run of an execution."""
        command = action.command
        match command:
            case ToggleTrigger():
                self._finish(execution, action, self._toggle(command))
            case ResumeExecution():
                self._resume(execution, action, command)
            case _:
                self._look_after(execution, action, command)

    def noticed(self, execution: LocalExecution) -> None:
        """End the commands that an execution has done or refused."""
        for result in execution.status.controls:
            asked = self._asked.pop((execution.name, result.id), None)
            if asked is not None:
                self._finish(*asked, None if result.done else _refusal(result))

    def is_enabled(self, namespace: str, flow_id: str, trigger: str) -> bool | None:
        """Whether tasks enabled or disabled a trigger; None where none did either."""
        return self._enabled.get((namespace, flow_id, trigger))

    def _toggle(self, command: ToggleTrigger) -> str | None:
        """Toggle a trigger. Gives the reason where it can't be done, else None."""
        flow = self._flows.get(command.namespace, command.flow_id)
        if flow is None:
            return f"there is no flow {command.namespace}.{command.flow_id}"
        if all(trigger.id != command.trigger for trigger in flow.triggers):
            return f"the flow {flow.namespace}.{flow.id} has no trigger `{command.trigger}`"
        self._enabled[command.namespace, command.flow_id, command.trigger] = command.enabled
        return None

    def _resume(self, execution: str, action: Perform, command: ResumeExecution) -> None:
        if not self._house.has(command.execution):
            message = f"there is no execution `{command.execution}` in this run"
            self._finish(execution, action, message)
            return
        run, attempt = action.key
        control = Control(
            id=f"{run}-{attempt}",
            resume=ResumeRequest(inputs=dict(command.inputs), by=execution),
        )
        self._asked[command.execution, control.id] = (execution, action)
        self._control(command.execution, control)

    def _look_after(
        self, execution: str, action: Perform, command: CountExecutions | Purge
    ) -> None:
        try:
            outputs: Mapping[str, Any]
            if isinstance(command, CountExecutions):
                outputs = command.outputs(self._house.facts())
            else:
                outputs = self._house.purge(execution, command)
        except (ExpressionError, StorageError, OSError) as error:
            self._finish(execution, action, str(error))
        else:
            self._finish(execution, action, None, outputs)

    def _finish(
        self,
        execution: str,
        action: Perform,
        failure: str | None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        seen = Observation(State.SUCCESS, exit_code=0, outputs=outputs)
        if failure is not None:
            seen = Observation(State.FAILED, reason="TaskFailed", message=failure)
        self._tell(Seen(execution, action.key, seen))


def _refusal(result: ControlResult) -> str:
    return result.message or "it was refused"
