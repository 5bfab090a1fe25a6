"""The end of an execution that a person or a timeout ends."""

from __future__ import annotations

from datetime import datetime

from penstock.resources.execution import (
    Attempt,
    ExecutionStatus,
    State,
    TaskRun,
    Transition,
)


def killed(status: ExecutionStatus, message: str, now: datetime) -> ExecutionStatus:
    """The status of an execution all of whose tasks were killed; handlers do not run.

    One that has ended keeps its state: only its `afterExecution` was killed.
    """
    runs = [_killed_run(run, now) for run in status.task_runs]
    if status.state.terminated:
        return status.model_copy(update={"task_runs": runs, "after_execution": State.KILLED})
    start = status.start_date or now
    steps = [Transition(state=state, date=now) for state in (State.KILLING, State.KILLED)]
    return status.model_copy(
        update={
            "state": State.KILLED,
            "history": [*status.history, *steps],
            "task_runs": runs,
            "end_date": now,
            "duration": f"{(now - start).total_seconds():.1f}s",
            "message": message,
        }
    )


def _killed_run(run: TaskRun, now: datetime) -> TaskRun:
    if run.state.terminated:
        return run
    attempts = [_killed_attempt(attempt, now) for attempt in run.attempts]
    return run.model_copy(
        update={
            "state": State.KILLED,
            "end_date": now,
            "next_attempt": None,
            "attempts": attempts,
        }
    )


def _killed_attempt(attempt: Attempt, now: datetime) -> Attempt:
    if attempt.state.terminated:
        return attempt
    return attempt.model_copy(update={"state": State.KILLED, "end_date": now})
