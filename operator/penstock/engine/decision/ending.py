"""The end of an execution: its outputs, its message, its last transition."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from typing import Any

from penstock.engine.interface.actions import Report, Step
from penstock.engine.interface.identity import Identity
from penstock.engine.kinds.outputs import resolve_outputs
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.transitions import move_attempt, move_execution, move_task_run
from penstock.expressions import ExpressionError
from penstock.flow.document import Flow
from penstock.flow.values import InvalidInput
from penstock.resources.conditions import EXECUTION, NotOwned
from penstock.resources.execution import ExecutionStatus, State, TaskRun, Transition

INTERNAL_ERROR = "InternalError"
"""The reason of an Event and of a refusal: the engine made an error."""
_WITHOUT_OUTPUTS = frozenset({State.KILLED, State.CANCELLED, State.RETRIED})


def refuse(status: ExecutionStatus, reason: str, message: str, now: datetime) -> Step:
    """End an execution before anything of it ran. Raises ``NotOwned`` where the reason is none that
    its conditions may have."""
    if reason not in EXECUTION.reasons:
        raise NotOwned(f"no execution is refused with the reason `{reason}`")
    refused = status.model_copy(update={"refusal": reason})
    return Step(
        status=ended(refused, State.FAILED, message, now),
        reports=(Report(reason, message, warning=True),),
        refusal=reason,
    )


def end(
    flow: Flow,
    status: ExecutionStatus,
    identity: Identity,
    run_index: TaskRunIndex,
    evaluation: Evaluation,
    final: State,
    now: datetime,
) -> tuple[ExecutionStatus, Report]:
    """End an execution of which nothing runs any more."""
    outputs: dict[str, Any] | None = None
    message = status.exit_reason
    if flow.outputs and final not in _WITHOUT_OUTPUTS:
        try:
            outputs = resolve_outputs(flow.outputs, evaluation.of_execution(now))
        except (ExpressionError, InvalidInput) as error:
            if final is not State.FAILED:
                message = f"the flow's outputs can't be had: {error}"
            final = State.FAILED
    if final in (State.FAILED, State.RETRIED) and message is None:
        message = _first_failure(run_index)
        if message is None and status.exit is not None:
            message = "an Exit task ended it"
    if final is State.KILLED and identity.killed:
        message = "killed as its spec asks"
    status = ended(status.model_copy(update={"outputs": outputs}), final, message, now)
    words = f"ended {final} after {status.duration}" + (f": {message}" if message else "")
    warning = final not in (State.SUCCESS, State.WARNING)
    return status, Report(final.capitalize(), words, warning)


def ended(
    status: ExecutionStatus, final: State, message: str | None, now: datetime
) -> ExecutionStatus:
    """End a status: its state, its date and its duration."""
    start = status.start_date or now
    if final is State.KILLED and status.state is not State.KILLING:
        status = move_execution(status, State.KILLING, now)
    return move_execution(status, final, now).model_copy(
        update={
            "end_date": now,
            "duration": f"{(now - start).total_seconds():.1f}s",
            "message": message,
        }
    )


def close_open_runs(status: ExecutionStatus, state: State, now: datetime) -> ExecutionStatus:
    """Close each task run that is open, with its attempt, in a state that ends them, where nothing
    else can be decided of them."""
    runs = [_closed(run, state, now) for run in status.task_runs]
    return status.model_copy(update={"task_runs": runs})


def _closed(run: TaskRun, state: State, now: datetime) -> TaskRun:
    if run.state.terminated:
        return run
    attempts = [
        attempt if attempt.state.terminated else move_attempt(run, attempt, state, end_date=now)
        for attempt in run.attempts
    ]
    closed = {"attempts": attempts, "end_date": now, "next_attempt": None}
    return move_task_run(run, state, **closed)


def transitions_since(before: ExecutionStatus, after: ExecutionStatus) -> list[Transition]:
    """Find what an execution's history has beyond an earlier one. Its length does not tell, since
    the middle of a very long history is left out."""
    last = before.history[-1] if before.history else None
    return list(takewhile(lambda step: step != last, reversed(after.history)))[::-1]


def _first_failure(run_index: TaskRunIndex) -> str | None:
    """Find the failure that the execution ended with, not one that was allowed further out."""
    for run in run_index:
        led_to_the_end = all(
            outer.state in (State.FAILED, State.RETRIED) for outer in run_index.ancestors(run)
        )
        if run.state in (State.FAILED, State.RETRIED) and run.message and led_to_the_end:
            value = f" [{run.value}]" if run.value is not None else ""
            return f"task {run.task_id}{value}: {run.message}"
    return None
