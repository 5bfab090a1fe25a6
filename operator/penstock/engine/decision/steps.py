"""Steps: what a decision comes to, as a status and what is to be done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from penstock.engine.decision.decision import Decision
from penstock.engine.interface.actions import Step
from penstock.engine.kinds.flowables.pause import Holding
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.resources.execution import ExecutionStatus, State


def step_of(decision: Decision, status: ExecutionStatus, deadline: datetime | None = None) -> Step:
    """Give the step that writes a status, with all that the decision asks for."""
    dates = _dates(decision)
    dates += [deadline] if deadline is not None else []
    if decision.settling.goes_on and not status.finished:
        dates.append(decision.now)
    return Step(
        status=status,
        actions=decision.actions(),
        reports=decision.all_reports(),
        wake=min(dates, default=None),
    )


def _dates(decision: Decision) -> list[datetime]:
    """Give the dates at which task runs go on by themselves, as far as they may: nothing does
    so any more where the execution is to end, and where a person paused it only what waits for
    a person."""
    if decision.changes.exit is not None:
        return []
    return [
        run.next_attempt
        for run in decision.run_index.open_runs()
        if run.next_attempt is not None
        and not (decision.changes.paused and run.state in (State.RETRYING, State.RESTARTED))
    ]


def noted(decision: Decision) -> ExecutionStatus:
    """Write into the status what people asked for, and nothing further."""
    changes: dict[str, Any] = decision.changes.fields()
    if decision.changes.controls != decision.status.controls:
        changes["task_runs"] = list(decision.run_index)
    return decision.status.model_copy(update=changes)


def open_state(decision: Decision) -> State:
    """Say what an open execution is doing: it is paused, or waits for a retry, where it does
    nothing else."""
    if decision.changes.paused:
        return State.PAUSED
    if decision.settling.goes_on:
        return State.RUNNING
    waiting: set[State] = set()
    for run in decision.run_index.open_runs():
        task = decision.task_of(run)
        if run.state is State.PAUSED and isinstance(task, Holding):
            waiting.add(State.PAUSED)
        elif run.attempts and run.state is State.RETRYING:
            waiting.add(State.RETRYING)
        elif run.attempts or run.state is State.PAUSED:
            return State.RUNNING
    if decision.settling.at_breakpoints:
        waiting.add(State.BREAKPOINT)
    order = (State.PAUSED, State.BREAKPOINT, State.RETRYING)
    return next((state for state in order if state in waiting), State.RUNNING)


def progress(run_index: TaskRunIndex, waiting: int) -> str:
    """Say how many task runs have ended, of those that there are or will be."""
    return f"{run_index.ended}/{len(run_index) + waiting}"


def went_on(held: set[str], run_index: TaskRunIndex, final: State | None) -> bool:
    """Whether an execution that waited ran again, if only for a moment, before it ended or was held
    by the next Pause."""
    if final in (State.KILLED, State.CANCELLED):
        return False
    still = any(run.id in held and run.state is State.PAUSED for run in run_index)
    return final is not None or (bool(held) and not still)


def open_again(status: ExecutionStatus) -> ExecutionStatus:
    """Take from a status what only an execution that has ended has."""
    return status.model_copy(
        update={
            "end_date": None,
            "duration": None,
            "message": None,
            "refusal": None,
            "outputs": None,
            "after_execution": None,
        }
    )
