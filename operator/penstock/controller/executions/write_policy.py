"""Which changes of a status must be written at once, and which may wait for the next one."""

from __future__ import annotations

from penstock.resources.execution import ExecutionStatus, State, TaskRun


def decides(before: ExecutionStatus, after: ExecutionStatus) -> bool:
    """Whether more changed than that a task runs which was about to run."""
    return _outline(before) != _outline(after)


def _outline(status: ExecutionStatus) -> tuple[ExecutionStatus, list[tuple[object, ...]]]:
    rest = status.model_copy(update={"task_runs": [], "progress": None})
    return rest, [_decided(run) for run in status.task_runs]


def _decided(run: TaskRun) -> tuple[object, ...]:
    """What of a task run decides anything: whether it is about to run or runs does not."""
    state = State.CREATED if run.state is State.RUNNING else run.state
    return run.id, state, len(run.attempts), run.next_attempt, run.verdict
