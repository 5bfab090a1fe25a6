"""The end of an execution that a person or a timeout ends."""

from __future__ import annotations

from datetime import datetime

from penstock.engine.decision.ending import ended
from penstock.engine.state.transitions import move_attempt, move_task_run
from penstock.resources.execution import ExecutionStatus, State, TaskRun


def killed(status: ExecutionStatus, message: str, now: datetime) -> ExecutionStatus:
    """The status of an execution all of whose tasks were killed; handlers do not run.

    One that has ended keeps its state: only its `afterExecution` was killed.
    """
    runs = [_killed_run(run, now) for run in status.task_runs]
    if status.state.terminated:
        return status.model_copy(update={"task_runs": runs, "after_execution": State.KILLED})
    return ended(status.model_copy(update={"task_runs": runs}), State.KILLED, message, now)


def _killed_run(run: TaskRun, now: datetime) -> TaskRun:
    if run.state.terminated:
        return run
    attempts = [
        attempt
        if attempt.state.terminated
        else move_attempt(run, attempt, State.KILLED, end_date=now)
        for attempt in run.attempts
    ]
    return move_task_run(run, State.KILLED, end_date=now, next_attempt=None, attempts=attempts)
