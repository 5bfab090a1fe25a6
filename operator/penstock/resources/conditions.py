"""Conditions in the way of kstatus, so that kubectl wait, Flux and Argo CD understand us."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

TRIED_AGAIN = "ProgressingWithRetry"
"""The reason of `Reconciling` while something fails that may pass: the word that Flux uses."""

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(BaseModel):
    """One condition of a resource."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""
    last_transition_time: datetime
    observed_generation: int | None = None


def set_condition(
    conditions: Iterable[Condition],
    type: str,
    status: ConditionStatus,
    reason: str,
    message: str,
    now: datetime,
    generation: int | None = None,
) -> list[Condition]:
    """The conditions with one set; its transition time moves only where its status changed."""
    conditions = list(conditions)
    kept = [condition for condition in conditions if condition.type != type]
    before = next((condition for condition in conditions if condition.type == type), None)
    since = (
        before.last_transition_time
        if before is not None and before.status == status
        else now.astimezone(UTC).replace(microsecond=0)
    )
    return [
        *kept,
        Condition(
            type=type,
            status=status,
            reason=reason,
            message=message[:32_000],
            last_transition_time=since,
            observed_generation=generation,
        ),
    ]


def with_wait(
    conditions: Iterable[Condition],
    reason: str,
    message: str,
    now: datetime,
    generation: int,
    *,
    stalled: bool,
) -> list[Condition]:
    """The conditions of an object that can't go on now, and why: `Stalled` where a person has to do
    something, else `Reconciling` with a reason that says that it is tried again."""
    kept = set_condition(conditions, "Ready", "False", reason, message, now, generation)
    if stalled:
        kept = drop_condition(kept, "Reconciling")
        return set_condition(kept, "Stalled", "True", reason, message, now, generation)
    kept = drop_condition(kept, "Stalled")
    text = f"{reason}: {message}"
    return set_condition(kept, "Reconciling", "True", TRIED_AGAIN, text, now, generation)


def tells_of_wait(conditions: Iterable[Condition]) -> bool:
    """Whether the conditions of an object that has no end yet say that it can't go on now."""
    return any(
        item.type == "Stalled" or (item.type == "Reconciling" and item.reason == TRIED_AGAIN)
        for item in conditions
    )


def drop_condition(conditions: Iterable[Condition], type: str) -> list[Condition]:
    """The conditions without one: abnormal conditions are there only while they are true."""
    return [condition for condition in conditions if condition.type != type]
