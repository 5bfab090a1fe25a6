"""Which state may follow which: of an execution, of a task run, of an attempt.

Rule 1: whatever changes a state goes through a function of this file (`move_execution`,
`move_task_run`, `move_attempt`), and each of them asks its table. Nothing else sets a state.

Rule 2: only a change is asked about. A status is read as it stands, whoever wrote it: an older
controller, a newer one, a person. And a state that stays as it is is no change.

Rule 3: the tables know nothing of why a change is made now. What leads from a state to the next
stands beside it in words for people: the pages of the reference are made from them.

A change that its table lacks is an error of the engine's own, `IllegalTransition`. It ends the one
execution that it happens to, with these words as its message: see `Engine.advance`.

The three machines are coupled in one direction. An attempt is moved by what its Job does, a task
run by its attempts, or, of a flowable, by the task runs inside it, and the execution by its task
runs; people move the execution, and by a restart or a mark its task runs. An attempt that has ended
never changes: what is done again is done by another attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from penstock.resources.execution import Attempt, ExecutionStatus, State, TaskRun, Transition

Table = Mapping[State, Mapping[State, str]]
"""The states that may follow each state, with what leads there."""

_LONGEST_HISTORY = 200
_HISTORY_START = 50

INITIAL = State.CREATED
"""The state in which each execution, task run and attempt begins."""

_KILL = "its `spec.kill` is set; an Exit task or an Approval kills it"
_CANCEL = "an SLA, an Exit task, a Pause or an Approval cancels it"
_STOPPED = "it would exceed a limit; its revision is gone; the engine makes an error"
_PAUSE = "a person pauses it"
_BROKEN_SLA = "an SLA or the flow's `timeout` is violated"
_NO_TASK = "there is no task to run"
_NO_SLOT = "as many executions run as the flow's `concurrency` or an administrator allows"
_HELD = "nothing is left but to wait for a person, or for the end of a Pause"
_AT_BREAKPOINT = "nothing is left but to wait before a task of `breakpoints`"
_WAITS_FOR_RETRY = "nothing is left but to wait for the next attempt of a task"
_CHANGED_STATUS = "a person changes its status"
_RESTART = "a person restarts it, or marks one of its task runs"

_ENDED: Mapping[State, str] = {
    State.RESTARTED: _RESTART,
    State.SUCCESS: _CHANGED_STATUS,
    State.WARNING: _CHANGED_STATUS,
    State.FAILED: _CHANGED_STATUS,
    State.KILLED: _CHANGED_STATUS,
    State.CANCELLED: _CHANGED_STATUS,
}
"""What may follow the end of an execution, whatever its state: only people do that."""

EXECUTION: Table = {
    State.CREATED: {
        State.QUEUED: _NO_SLOT,
        State.RUNNING: "its first task run begins",
        State.PAUSED: f"{_PAUSE} before anything of it runs",
        State.BREAKPOINT: "the first task is one of `breakpoints`",
        State.SUCCESS: _NO_TASK,
        State.FAILED: f"it is refused; `concurrency` or a check fails it; {_BROKEN_SLA}; "
        f"{_STOPPED}",
        State.CANCELLED: "`concurrency` or an SLA cancels it",
        State.KILLING: _KILL,
    },
    State.QUEUED: {
        State.RUNNING: "its turn comes, or a person lets it run at once",
        State.PAUSED: f"{_PAUSE} before its turn comes",
        State.BREAKPOINT: "its turn comes, and the first task is one of `breakpoints`",
        State.SUCCESS: f"its turn comes, and {_NO_TASK}",
        State.FAILED: f"{_BROKEN_SLA}; {_STOPPED}",
        State.CANCELLED: "an SLA cancels it",
        State.KILLING: _KILL,
    },
    State.RUNNING: {
        State.PAUSED: f"{_HELD}; {_PAUSE}",
        State.BREAKPOINT: _AT_BREAKPOINT,
        State.RETRYING: _WAITS_FOR_RETRY,
        State.SUCCESS: "all its tasks end well; an Exit task or an Approval ends it so",
        State.WARNING: "a task ends so, or its failure is allowed; an Exit task ends it so",
        State.FAILED: f"a task fails; its outputs can't be had; an Exit task ends it so; "
        f"{_BROKEN_SLA}; {_STOPPED}",
        State.RETRIED: "a task fails whose `retry` makes another execution",
        State.CANCELLED: _CANCEL,
        State.KILLING: _KILL,
    },
    # What waits runs again before it ends, if only for a moment: whoever listens sees that it ran.
    State.PAUSED: {
        State.RUNNING: "a person resumes it, or the pause ends",
        State.BREAKPOINT: f"it goes on, until {_AT_BREAKPOINT}",
        State.RETRYING: f"a person resumes it, but {_WAITS_FOR_RETRY}",
        State.FAILED: _STOPPED,
        State.CANCELLED: _CANCEL,
        State.KILLING: _KILL,
    },
    State.BREAKPOINT: {
        State.RUNNING: "a person resumes it",
        State.PAUSED: f"{_HELD}; {_PAUSE}",
        State.RETRYING: f"a person resumes it, but {_WAITS_FOR_RETRY}",
        State.FAILED: _STOPPED,
        State.CANCELLED: _CANCEL,
        State.KILLING: _KILL,
    },
    State.RETRYING: {
        State.RUNNING: "the next attempt begins",
        State.PAUSED: f"{_PAUSE}; the next attempt ends at once, and {_HELD}",
        State.BREAKPOINT: f"the next attempt ends at once, and {_AT_BREAKPOINT}",
        State.FAILED: _STOPPED,
        State.CANCELLED: _CANCEL,
        State.KILLING: _KILL,
    },
    # It is passed within one decision.
    State.RESTARTED: {
        State.QUEUED: _NO_SLOT,
        State.RUNNING: "its task runs go on",
        State.PAUSED: f"{_PAUSE}, and no task run is left",
        State.BREAKPOINT: "no task run is left, and the first task is one of `breakpoints`",
        State.SUCCESS: f"no task run is left, and {_NO_TASK} either",
        State.FAILED: f"{_BROKEN_SLA}; {_STOPPED}",
        State.CANCELLED: "an SLA cancels it",
        State.KILLING: _KILL,
    },
    # So is this: what runs is stopped with the same step that ends it.
    State.KILLING: {
        State.KILLED: "all that runs is told to stop",
        State.FAILED: _STOPPED,
    },
    State.SUCCESS: _ENDED,
    State.WARNING: _ENDED,
    State.FAILED: _ENDED,
    State.KILLED: _ENDED,
    State.CANCELLED: _ENDED,
    State.RETRIED: _ENDED,
}

_MARK = "a person marks it so"
_OPEN_AGAIN = "something inside the flowable is restarted, marked or replayed"
_NEXT_ATTEMPT = "its next attempt is written"
_NEXT_AT_ONCE = "its next attempt is made by the engine itself, at once"
_EXECUTION_ENDS = "the execution ends meanwhile"
_FIXTURE = "a fixture of a flow test says so"

_MARKS: Mapping[State, str] = {
    State.SUCCESS: _MARK,
    State.WARNING: _MARK,
    State.FAILED: _MARK,
    State.KILLED: _MARK,
    State.CANCELLED: _MARK,
}
_WENT_WELL: Mapping[State, str] = {**_MARKS, State.RUNNING: _OPEN_AGAIN}
_WENT_WRONG: Mapping[State, str] = {
    **_WENT_WELL,
    State.RESTARTED: "the execution is restarted, and this is a runnable task",
}

TASK_RUN: Table = {
    State.CREATED: {
        State.SKIPPED: f"its `runIf` does not hold; {_FIXTURE}",
        State.RUNNING: "its attempt runs; the flowable opens",
        State.PAUSED: "a Pause or an Approval opens, and waits for a person or a date",
        # The news that an attempt runs may come with that of its end, or never.
        State.SUCCESS: "its attempt ends well",
        State.WARNING: "its attempt ends so; its failure is allowed",
        State.FAILED: "its attempt fails; an expression of it can't be rendered",
        State.RETRYING: "its attempt fails or is lost, and another follows",
        State.RETRIED: "its attempt fails, and another execution follows",
        State.KILLED: "the execution is killed; the one that its attempt made was killed",
        State.CANCELLED: _EXECUTION_ENDS,
    },
    State.RUNNING: {
        State.PAUSED: "a LoopUntil waits for its next iteration",
        State.SUCCESS: "its attempt, or all inside the flowable, ends well",
        State.WARNING: "its attempt, or something inside the flowable, ends so; a failure is "
        "allowed",
        State.FAILED: "its attempt, or something inside the flowable, fails",
        State.RETRYING: "its attempt fails or is lost, and another follows",
        State.RETRIED: "its attempt fails, and another execution follows",
        State.SKIPPED: _FIXTURE,
        State.KILLED: "the execution is killed; what is inside, or the one that its attempt made, "
        "was killed",
        State.CANCELLED: _EXECUTION_ENDS,
    },
    State.PAUSED: {
        State.RUNNING: "a person resumes it, or the date comes",
        State.SUCCESS: _EXECUTION_ENDS,
        State.WARNING: f"what it runs meanwhile fails, which is allowed; {_EXECUTION_ENDS}",
        State.FAILED: f"what it runs meanwhile fails; {_EXECUTION_ENDS}",
        State.RETRIED: _EXECUTION_ENDS,
        State.KILLED: "the execution is killed; what it runs meanwhile was killed",
        State.CANCELLED: _EXECUTION_ENDS,
    },
    State.RETRYING: {
        State.CREATED: _NEXT_ATTEMPT,
        State.RUNNING: _NEXT_AT_ONCE,
        State.FAILED: "an SLA fails the execution meanwhile",
        State.KILLED: "the execution is killed",
        State.CANCELLED: _EXECUTION_ENDS,
    },
    State.RESTARTED: {
        State.CREATED: _NEXT_ATTEMPT,
        State.RUNNING: _NEXT_AT_ONCE,
        State.FAILED: "an SLA fails the execution meanwhile",
        State.KILLED: "the execution is killed",
        State.CANCELLED: _EXECUTION_ENDS,
    },
    State.SKIPPED: _MARKS,
    State.SUCCESS: _WENT_WELL,
    State.WARNING: _WENT_WELL,
    State.FAILED: _WENT_WRONG,
    State.KILLED: _WENT_WRONG,
    State.CANCELLED: _WENT_WRONG,
    State.RETRIED: _WENT_WRONG,
}

_ATTEMPT_ENDS: Mapping[State, str] = {
    State.SUCCESS: "it ends well",
    State.WARNING: "it ends so by what the task says of itself",
    State.FAILED: "it fails; an SLA fails the execution meanwhile",
    State.RESUBMITTED: "it is lost with its node; the directory in which it runs is lost",
    State.SKIPPED: _FIXTURE,
    State.KILLED: "the execution is killed; the one that this attempt made was killed",
    State.CANCELLED: "the execution ends meanwhile",
}

ATTEMPT: Table = {
    # The news that it runs may come with that of its end, or never.
    State.CREATED: {State.RUNNING: "its container starts", **_ATTEMPT_ENDS},
    State.RUNNING: _ATTEMPT_ENDS,
    State.SUCCESS: {},
    State.WARNING: {},
    State.FAILED: {},
    State.RESUBMITTED: {},
    State.SKIPPED: {},
    State.KILLED: {},
    State.CANCELLED: {},
}


class IllegalTransition(Exception):
    """The engine wanted a change of state that there is not: an error of its own."""

    def __init__(self, what: str, state: State, wanted: State) -> None:
        super().__init__(f"{what} is {state} and can't become {wanted}")

    @property
    def told(self) -> str:
        """What a person is told."""
        return f"the controller made an error, please report it: {self}"


def move_execution(status: ExecutionStatus, state: State, date: datetime) -> ExecutionStatus:
    """The status in another state, which its history tells; of a very long history the middle is
    left out. Raises ``IllegalTransition``."""
    if status.state is state:
        return status
    if state not in EXECUTION.get(status.state, ()):
        raise IllegalTransition("the execution", status.state, state)
    history = [*status.history, Transition(state=state, date=date)]
    if len(history) > _LONGEST_HISTORY:
        history = [*history[:_HISTORY_START], *history[_HISTORY_START + 1 :]]
    return status.model_copy(update={"state": state, "history": history})


def move_task_run(run: TaskRun, state: State, **changes: Any) -> TaskRun:
    """The task run in another state, and with other fields changed too. Raises
    ``IllegalTransition``."""
    if run.state is not state and state not in TASK_RUN.get(run.state, ()):
        raise IllegalTransition(_name_of(run), run.state, state)
    return run.model_copy(update={"state": state, **changes})


def move_attempt(run: TaskRun, attempt: Attempt, state: State, **changes: Any) -> Attempt:
    """The attempt of a task run in another state, and with other fields changed too. Raises
    ``IllegalTransition``."""
    if attempt.state is not state and state not in ATTEMPT.get(attempt.state, ()):
        what = f"attempt {attempt.number} of {_name_of(run)}"
        raise IllegalTransition(what, attempt.state, state)
    return attempt.model_copy(update={"state": state, **changes})


def _name_of(run: TaskRun) -> str:
    return f"the task run {run.id} of the task {run.task_id}"
