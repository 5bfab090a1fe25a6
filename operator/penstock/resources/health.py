"""The health of an Execution as conditions: `Succeeded` for people, kstatus for tools.

`kubectl wait --for=condition=Succeeded`, `flux` and Argo CD read these.
"""

from __future__ import annotations

from datetime import datetime

from penstock.resources.conditions import EXECUTION
from penstock.resources.execution import ExecutionStatus, State


def with_conditions(
    status: ExecutionStatus, generation: int, now: datetime, refusal: str | None = None
) -> ExecutionStatus:
    """The status with the conditions that its state calls for.

    `refusal` says in one word why an execution was ended before it began. Else the state is the
    reason, also where another version of the controller wrote a word that this one does not have,
    and where a person gave it another end state.
    """
    state = status.state
    message = status.message or ""
    if not (state.terminated or (state is State.QUEUED and message)):
        message = f"{status.progress} task runs ended" if status.progress else ""
    reason = refusal if state is State.FAILED and refusal in EXECUTION.reasons else None
    conditions = EXECUTION.judged(
        status.conditions, reason or state.capitalize(), message, now, generation
    )
    return status.model_copy(update={"conditions": conditions, "observed_generation": generation})
