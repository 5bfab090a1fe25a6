"""The end of an execution that a person or a timeout ends."""

from __future__ import annotations

from datetime import datetime

from penstock.engine.decision.ending import close_open_runs, ended
from penstock.resources.execution import ExecutionStatus, State


def killed(status: ExecutionStatus, message: str, now: datetime) -> ExecutionStatus:
    """The status of an execution all of whose tasks were killed; handlers do not run.

    One that has ended keeps its state: only its `afterExecution` was killed.
    """
    closed = close_open_runs(status, State.KILLED, now)
    if status.state.terminated:
        return closed.model_copy(update={"after_execution": State.KILLED})
    return ended(closed, State.KILLED, message, now)
