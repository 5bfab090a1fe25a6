"""Starting task runs: whether they run at all, and what they do at once.

A runnable task gets its first attempt, an instant one is done, a flowable opens and is settled.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from penstock.engine.decision.attempts import Attempts
from penstock.engine.interface.actions import Observation
from penstock.engine.interface.flowable import Child, Flowable, FlowableError
from penstock.engine.interface.instant_task import Effect, InstantFailure, InstantTask, Scene
from penstock.engine.interface.limits import Limits
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.engine.state.parents import Parent
from penstock.engine.state.task_run_index import TaskRunIndex, task_run_id
from penstock.engine.state.transitions import INITIAL
from penstock.expressions import ExpressionError, is_truthy
from penstock.flow.task import Task
from penstock.resources.execution import State, TaskRun


class LimitExceeded(Exception):
    """The execution asks for more than one execution may."""


class Starting:
    """Starts task runs during one decision."""

    def __init__(
        self,
        run_index: TaskRunIndex,
        attempts: Attempts,
        evaluation: Evaluation,
        changes: ExecutionChanges,
        limits: Limits,
        now: datetime,
        settle_flowable: Callable[[TaskRun, Flowable], None],
    ) -> None:
        self._run_index = run_index
        self._attempts = attempts
        self._evaluation = evaluation
        self._changes = changes
        self._limits = limits
        self._now = now
        self._settle_flowable = settle_flowable
        self._started = 0

    @property
    def is_spent(self) -> bool:
        """Whether this decision has started as much as one may: the rest is for the next one."""
        return self._started >= self._limits.starts

    @property
    def has_room(self) -> bool:
        """Whether a further branch may begin. One that has begun goes on in any case, so that none
        waits for ever for what is behind it."""
        return not self.is_spent and self._run_index.under_way < self._limits.under_way

    def start(self, child: Child, parent: Parent) -> TaskRun:
        """Open a task run, as far as it goes at once: a skipped task ends where it starts."""
        if len(self._run_index) >= self._limits.task_runs:
            raise LimitExceeded(f"the execution needs more than {self._limits.task_runs} task runs")
        self._started += 1
        task = child.task
        run = self._run_index.put(
            TaskRun(
                id=task_run_id(parent.id, child, self._changes.restarts),
                task_id=task.id,
                parent=parent.id,
                value=child.value,
                iteration=child.iteration,
                state=INITIAL,
                start_date=self._now,
            )
        )
        evaluator = self._evaluation.of_task_run(run, task)
        try:
            if task.gate is not None and not is_truthy(evaluator.evaluate(task.gate)):
                return self._run_index.move(run, State.SKIPPED, end_date=self._now)
            if isinstance(task, Flowable):
                return self._open(run, task)
        except (ExpressionError, FlowableError) as error:
            self._attempts.fail_unstarted(run, task, str(error))
            return self._run_index[run.id]
        return self.begin(run, task)

    def begin(self, run: TaskRun, task: Task) -> TaskRun:
        """Begin the next attempt; one that the engine makes itself ends where it begins."""
        if not isinstance(task, InstantTask):
            return self._attempts.begin(run, task)
        run = self._attempts.record(run)
        try:
            effect = task.perform(
                self._evaluation.of_task_run(run, task),
                Scene(self._changes.labels, self._changes.variables),
            )
            self._check_size(effect)
        except (ExpressionError, InstantFailure) as error:
            seen = Observation(State.FAILED, reason="TaskFailed", message=str(error))
            return self._attempts.finish(run, task, seen)
        self._changes.take(effect)
        return self._attempts.finish(run, task, Observation(State.SUCCESS))

    def _check_size(self, effect: Effect) -> None:
        for name, value in (("labels", effect.labels), ("variables", effect.variables)):
            if value is not None and len(json.dumps(value)) > self._limits.set_bytes:
                limit = self._limits.set_bytes
                raise InstantFailure(f"the execution's {name} would be larger than {limit} bytes")

    def _open(self, run: TaskRun, task: Flowable) -> TaskRun:
        opening = task.open(self._evaluation.of_task_run(run, task))
        values = opening.values
        if values is not None:
            self._check_values(values)
        hold = opening.hold
        until = None
        if hold is not None and hold.duration is not None:
            until = self._now + hold.duration
        run = self._run_index.move(
            run,
            State.RUNNING if hold is None else State.PAUSED,
            next_attempt=until,
            outputs=opening.outputs,
            values=values,
            keys=opening.keys,
        )
        self._settle_flowable(run, task)
        return self._run_index[run.id]

    def _check_values(self, values: list[str]) -> None:
        if len(values) > self._limits.loop_values:
            raise FlowableError(
                f"the loop has {len(values)} values; the limit is {self._limits.loop_values}"
            )
        if sum(map(len, values)) > self._limits.values_bytes:
            limit = self._limits.values_bytes
            raise FlowableError(
                f"the loop's values are larger than {limit} bytes; put them into a file, and loop "
                "over what names them"
            )
