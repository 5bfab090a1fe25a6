"""Leaving: how an execution ends before its tasks are done.

An Exit task, an SLA, a kill or a retry of the whole execution says so. Then nothing new starts;
what runs is waited for, or stopped where the end does not wait.
"""

from __future__ import annotations

from penstock.engine.decision.attempts import Attempts
from penstock.engine.decision.children import ChildExecutions
from penstock.engine.decision.execution_retry import ExecutionRetries
from penstock.engine.interface.actions import StopAttempt
from penstock.engine.interface.executable import ExecutableTask
from penstock.engine.interface.flowable import Flowable
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.tree import FlowTree
from penstock.resources.execution import State, TaskRun

_OF_STOPPED = (State.KILLED, State.FAILED, State.CANCELLED)
"""Ends of an execution that are those of what it stops, too. What is stopped neither ended well nor
is done again, however the execution ends."""


class Leaving:
    """Ends task runs where they stand, during one decision."""

    def __init__(
        self,
        tree: FlowTree,
        run_index: TaskRunIndex,
        attempts: Attempts,
        children: ChildExecutions,
        retries: ExecutionRetries,
        changes: ExecutionChanges,
    ) -> None:
        self._tree = tree
        self._run_index = run_index
        self._attempts = attempts
        self._children = children
        self._retries = retries
        self._changes = changes
        self.stops: list[StopAttempt] = []
        """Attempts that must not go on."""

    def leave(self, end: State) -> State | None:
        """End the execution so, once nothing runs any more, or at once if it must; None until
        then."""
        running = False
        opened: list[TaskRun] = []
        for run in self._run_index:
            if run.state.terminated:
                continue
            live = [attempt for attempt in run.attempts if not attempt.state.terminated]
            if self._changes.stops:
                self.stop(run)
                self._attempts.close(run, end if end in _OF_STOPPED else State.CANCELLED)
            elif live:
                running = True
            elif not isinstance(self._tree[run.task_id].task, Flowable):
                self._attempts.close(run, State.CANCELLED)
            else:
                opened.append(run)
        if running or (end is State.RETRIED and not self._is_retried()):
            return None
        for run in opened:
            self._attempts.close(run, end)
        return end

    def stop(self, run: TaskRun) -> None:
        """Let what runs for a task run be gone."""
        task = self._tree[run.task_id].task
        for attempt in run.attempts:
            if attempt.state.terminated:
                continue
            if isinstance(task, ExecutableTask):
                self._children.kill(run, task, attempt)
            else:
                self.stops.append(StopAttempt(run, attempt))

    def stop_all(self) -> None:
        """End each open task run CANCELLED, and let what runs for it be gone."""
        for run in self._run_index.open_runs():
            self.stop(run)
            self._attempts.close(run, State.CANCELLED)

    def _is_retried(self) -> bool:
        """Whether the execution that does this one again is there."""
        retried = (run for run in self._run_index if run.state is State.RETRIED and run.attempts)
        run = next(retried, None)
        if run is None:
            return True
        task = self._tree[run.task_id].task
        return self._retries.is_there(run, self._tree.retry_of(task))
