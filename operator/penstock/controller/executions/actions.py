"""Taking the actions of a step: what is made before its status is stored, and what after."""

from __future__ import annotations

from dataclasses import replace

from penstock.controller.attempts.jobs import Jobs
from penstock.controller.attempts.start import AttemptStarter
from penstock.controller.attempts.working_directories import WorkingDirectories
from penstock.controller.executions.cluster_tasks import ClusterTasks
from penstock.controller.executions.execution_maker import ExecutionMaker, NotMade
from penstock.controller.executions.inputsecrets import InputSecrets
from penstock.controller.executions.related import RelatedExecutions
from penstock.engine.interface.actions import (
    Action,
    ControlExecution,
    KeepSecrets,
    KillExecution,
    Perform,
    StartAttempt,
    StartExecution,
    Step,
    StopAttempt,
)
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionStatus


class Actions:
    """Does what the engine asks for. Everything may be asked for twice."""

    def __init__(
        self,
        starter: AttemptStarter,
        jobs: Jobs,
        directories: WorkingDirectories,
        maker: ExecutionMaker,
        related: RelatedExecutions,
        cluster_tasks: ClusterTasks,
        input_secrets: InputSecrets,
    ) -> None:
        self._starter = starter
        self._jobs = jobs
        self._directories = directories
        self._maker = maker
        self._related = related
        self._cluster_tasks = cluster_tasks
        self._input_secrets = input_secrets

    async def hide_secrets(self, execution: Object) -> Object:
        """Let the spec show no text of a secret that is kept. Returns the execution as it is
        then."""
        return await self._input_secrets.hide(execution)

    async def prepare(self, execution: Object, step: Step) -> Step:
        """Make what nobody asks for a second time, before the status says that it is made: the
        Secrets of its inputs, and the executions that a control wants. Where such a one can't be,
        the control is refused. Returns what is left to be stored and done."""
        for action in step.actions:
            if isinstance(action, KeepSecrets):
                await self._input_secrets.keep(execution, action)
        for action in step.actions:
            if isinstance(action, StartExecution) and action.control is not None:
                try:
                    await self._maker.make(execution, action)
                except NotMade as error:
                    status = _with_refused(step.status, action.control, str(error))
                    step = replace(step, status=status)
        return replace(step, actions=tuple(item for item in step.actions if not _is_made(item)))

    async def take(self, execution: Object, step: Step, status: ExecutionStatus) -> None:
        """Take all actions, in their order. Raises ``Again`` where something became known."""
        stops = [action for action in step.actions if isinstance(action, StopAttempt)]
        await self._jobs.keep_logs(execution, stops)
        for action in step.actions:
            if isinstance(action, StartAttempt):
                await self._starter.start(execution, action, status)
            elif isinstance(action, StopAttempt):
                await self._jobs.stop(execution, action)
            elif isinstance(action, StartExecution):
                await self._related.start(execution, action, status)
            elif isinstance(action, ControlExecution):
                await self._related.control(execution, action)
            elif isinstance(action, KillExecution):
                await self._related.kill(execution, action)
            elif isinstance(action, Perform):
                await self._cluster_tasks.perform(execution, action)
        await self._directories.leave(execution, status)
        if status.finished and not any(isinstance(item, StopAttempt) for item in step.actions):
            await self._jobs.sweep(execution, status)

    async def clear(self, execution: Object) -> None:
        """Let nothing run of an execution that has ended: the controller may have died between
        writing the end and making it so."""
        status = ExecutionStatus.from_json(execution["status"])
        await self._directories.leave(execution, status)
        await self._jobs.sweep(execution, status)
        await self._related.sweep(execution)


def _is_made(action: Action) -> bool:
    """Tell whether an action is taken before the status is stored."""
    wanted = isinstance(action, StartExecution) and action.control is not None
    return wanted or isinstance(action, KeepSecrets)


def _with_refused(status: ExecutionStatus, control: str, why: str) -> ExecutionStatus:
    """Let the result of a control, named by its id, say that it can't be done."""
    controls = [
        result.model_copy(update={"done": False, "message": why})
        if result.id == control
        else result
        for result in status.controls
    ]
    return status.model_copy(update={"controls": controls})
