"""The executions that one execution makes, during one decision.

Their names are made from the execution's own name and the place of the attempt, so a request that
is made twice, before and after a crash, is for the same execution.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from penstock.engine.decision.child_requests import ChildRequests
from penstock.engine.interface.actions import (
    Action,
    Children,
    ControlExecution,
    KillExecution,
    Observation,
    StartExecution,
)
from penstock.engine.interface.executable import ExecutableTask
from penstock.engine.interface.flowable import FlowableError
from penstock.engine.interface.identity import Identity, derived_name
from penstock.engine.interface.limits import Limits
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.rendering.evaluators import BoundEvaluator
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.expressions import ExpressionError
from penstock.resources.execution import (
    Attempt,
    Control,
    ExecutionStatus,
    RestartRequest,
    State,
    TaskRun,
)


class ChildExecutions:
    """Follows the executions that this one makes, and asks for those that are missing."""

    def __init__(
        self,
        identity: Identity,
        run_index: TaskRunIndex,
        evaluation: Evaluation,
        requests: ChildRequests,
        limits: Limits,
        children: Children,
        now: datetime,
    ) -> None:
        self._identity = identity
        self._run_index = run_index
        self._evaluation = evaluation
        self._requests = requests
        self._limits = limits
        self._children = children
        self._now = now
        self.actions: list[Action] = []

    def name(self, run: TaskRun, attempt: int) -> str:
        """Name the execution that an attempt is; of several, this is how their names begin."""
        return derived_name(self._identity.name, run.id, attempt)

    def follow(self, run: TaskRun, task: ExecutableTask) -> Observation | None:
        """Say what became of the last attempt, and ask for the executions that it lacks."""
        attempt = run.attempts[-1]
        try:
            names = self._names(run, task, attempt)
            statuses = [self._status_of(name, attempt) for name in names]
            seen = _Seen(self._evaluation, run, task, self._now)
            concluded = task.conclude(names, statuses, seen)
            if concluded is None or not concluded.state.terminated:
                self._request_missing(run, task, names, statuses)
        except (ExpressionError, FlowableError) as error:
            return Observation(State.FAILED, reason="InvalidExpression", message=str(error))
        return concluded

    def kill(self, run: TaskRun, task: ExecutableTask, attempt: Attempt) -> None:
        """Ask the executions of an attempt to end, those as well that were asked for and that
        nobody has seen yet."""
        try:
            names = self._names(run, task, attempt)
        except FlowableError:
            return
        self.actions = [
            action
            for action in self.actions
            if not isinstance(action, StartExecution | ControlExecution) or action.name not in names
        ]
        unseen = 0
        for name in names:
            status = self._status_of(name, attempt)
            unseen += status is None
            if status is None and unseen <= self._limits.children:
                self.actions.append(KillExecution(name))
            elif status is not None and not status.state.terminated:
                self.actions.append(KillExecution(self._last_retry(name)))

    def _names(self, run: TaskRun, task: ExecutableTask, attempt: Attempt) -> list[str]:
        first = attempt.execution or self.name(run, attempt.number)
        count = task.count(partial(self._run_index.beside, run))
        return (
            [first]
            if type(task).count is ExecutableTask.count
            else [f"{first}-{index}" for index in range(count)]
        )

    def _status_of(self, name: str, attempt: Attempt) -> ExecutionStatus | None:
        """Find the status of a child; where that was retried as a whole, of its last retry."""
        seen = self._children.get(name)
        if seen is None:
            return None
        restarted = _restart_id(attempt) if attempt.restarts else None
        if restarted and not any(item.id == restarted for item in seen.status.controls):
            return None
        last = self._children.get(self._last_retry(name))
        if last is None:
            return seen.status.model_copy(update={"state": State.RUNNING})
        return last.status

    def _last_retry(self, name: str) -> str:
        """Name the last retry of an execution, which may not have been seen yet; where there is
        none, the execution itself."""
        last, number = name, 2
        while (seen := self._children.get(last)) and seen.status.state is State.RETRIED:
            last, number = retry_name(name, number), number + 1
        return last

    def _request_missing(
        self,
        run: TaskRun,
        task: ExecutableTask,
        names: list[str],
        statuses: list[ExecutionStatus | None],
    ) -> None:
        attempt = run.attempts[-1]
        if attempt.restarts and names[0] in self._children:
            if statuses[0] is None:
                again = Control(id=_restart_id(attempt), restart=RestartRequest())
                self.actions.append(ControlExecution(names[0], again))
            return
        live = sum(status is not None and not status.state.terminated for status in statuses)
        for index, (name, status) in enumerate(zip(names, statuses, strict=True)):
            if live >= self._limits.children:
                return
            if status is not None:
                continue
            own = task.own_variables(partial(self._run_index.beside, run), index)
            self.actions.append(self._requests.start(name, run, task, own))
            live += 1


class _Seen:
    """Gives a task that concludes the expressions that it needs."""

    def __init__(
        self, evaluation: Evaluation, run: TaskRun, task: ExecutableTask, now: datetime
    ) -> None:
        self._evaluation = evaluation
        self._run = run
        self._task = task
        self._now = now

    def evaluator(self) -> BoundEvaluator:
        return self._evaluation.of_task_run(self._run, self._task)

    def of_child(self, status: ExecutionStatus) -> BoundEvaluator:
        return self._evaluation.of_child(status, self._now)


def retry_name(original: str, number: int) -> str:
    """Name the execution that is the given attempt of another, from 2."""
    return derived_name(original, "retry", number)


def _restart_id(attempt: Attempt) -> str:
    return f"parent-attempt-{attempt.number}"
