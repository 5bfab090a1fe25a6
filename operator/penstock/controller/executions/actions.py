"""Taking the actions of a step, once its status is stored."""

from __future__ import annotations

from dataclasses import replace

from penstock.controller.attempts.jobs import Jobs
from penstock.controller.executions.cluster_tasks import ClusterTasks
from penstock.controller.executions.inputsecrets import InputSecrets
from penstock.controller.executions.related import NotMade, RelatedExecutions
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
        jobs: Jobs,
        family: RelatedExecutions,
        commands: ClusterTasks,
        input_secrets: InputSecrets,
    ) -> None:
        self._input_secrets = input_secrets
        self._jobs = jobs
        self._family = family
        self._commands = commands

    async def hide(self, body: Object) -> Object:
        """Let the spec show no text of a secret that is kept. The execution as it is then."""
        return await self._input_secrets.hide(body)

    def forget(self, body: Object) -> None:
        self._input_secrets.forget(body)

    async def prepare(self, body: Object, step: Step) -> Step:
        """Make what nobody asks for a second time, before the status says that it is made: the
        Secrets of its inputs, and the replays that a control wants. Where such a one can't be, the
        control is refused."""
        for action in step.actions:
            if isinstance(action, KeepSecrets):
                await self._input_secrets.keep(body, action)
        replays = [item for item in step.actions if _is_replay(item)]
        for action in replays:
            assert isinstance(action, StartExecution)
            try:
                await self._family.make(body, action)
            except NotMade as error:
                step = replace(step, status=_without_replay(step.status, action.name, str(error)))
        return replace(step, actions=tuple(item for item in step.actions if item not in replays))

    async def take(self, body: Object, step: Step, status: ExecutionStatus) -> None:
        """Take all actions, in their order. Raises ``Again`` where something became known."""
        for action in step.actions:
            if isinstance(action, StartAttempt):
                await self._jobs.start(body, action, status)
            elif isinstance(action, StopAttempt):
                await self._jobs.stop(body, action)
            elif isinstance(action, StartExecution):
                await self._family.start(body, action, status)
            elif isinstance(action, ControlExecution):
                await self._family.control(body, action)
            elif isinstance(action, KillExecution):
                await self._family.kill(body, action)
            elif isinstance(action, Perform):
                await self._commands.perform(body, action)
        await self._jobs.leave(body, status)
        if status.finished and not any(isinstance(item, StopAttempt) for item in step.actions):
            await self._jobs.sweep(body, status)

    async def clear(self, body: Object) -> None:
        """Let nothing run of an execution that has ended: the controller may have died between
        writing the end and making it so."""
        status = ExecutionStatus.from_json(body["status"])
        await self._jobs.leave(body, status)
        await self._jobs.sweep(body, status)
        await self._family.sweep(body)


def _is_replay(action: Action) -> bool:
    return isinstance(action, StartExecution) and action.spec.replay is not None


def _without_replay(status: ExecutionStatus, name: str, why: str) -> ExecutionStatus:
    controls = [
        result.model_copy(update={"done": False, "message": why})
        if result.done and (result.message or "").endswith(name)
        else result
        for result in status.controls
    ]
    return status.model_copy(update={"controls": controls})
