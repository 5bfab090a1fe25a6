"""The health of an Execution as conditions: `Succeeded` for people, kstatus for tools.

`kubectl wait --for=condition=Succeeded`, `flux` and Argo CD read these.
"""

from __future__ import annotations

from datetime import datetime

from penstock.resources.conditions import (
    Condition,
    ConditionStatus,
    drop_condition,
    set_condition,
)
from penstock.resources.execution import ExecutionStatus, State


def with_conditions(
    status: ExecutionStatus, generation: int, now: datetime, reason: str | None = None
) -> ExecutionStatus:
    """The status with the conditions that its state calls for.

    `reason` says in one word why an execution was refused; else the state is the reason.
    """
    state = status.state
    word = reason or state.capitalize()
    message = status.message or ""
    conditions = list(status.conditions)
    succeeded = state in (State.SUCCESS, State.WARNING)
    if not state.terminated or succeeded:
        # It may have been restarted, or given another end state.
        conditions = drop_condition(conditions, "Stalled")
    if not state.terminated:
        progress = f"{status.progress} task runs ended" if status.progress else ""
        conditions = set_condition(
            conditions, "Succeeded", "Unknown", word, progress, now, generation
        )
        conditions = set_condition(conditions, "Ready", "False", word, progress, now, generation)
        conditions = set_condition(
            conditions, "Reconciling", "True", word, progress, now, generation
        )
        return _update(status, conditions, generation)
    verdict: ConditionStatus = "True" if succeeded else "False"
    conditions = drop_condition(conditions, "Reconciling")
    conditions = set_condition(conditions, "Succeeded", verdict, word, message, now, generation)
    conditions = set_condition(conditions, "Ready", verdict, word, message, now, generation)
    if not succeeded:
        conditions = set_condition(conditions, "Stalled", "True", word, message, now, generation)
    return _update(status, conditions, generation)


def _update(
    status: ExecutionStatus, conditions: list[Condition], generation: int
) -> ExecutionStatus:
    return status.model_copy(update={"conditions": conditions, "observed_generation": generation})
