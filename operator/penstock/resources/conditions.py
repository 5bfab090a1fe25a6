"""Conditions in the way of kstatus, so that kubectl wait, Flux and Argo CD understand us.

One table says which conditions each resource has (`OWNERS`): what each of them says, whether True
is good, and what its status is in each *health*. A second one, in `reasons.py`, has every reason
that stands in a condition, and the health that it means. So whoever writes conditions names a
reason, and nothing else: which conditions are set and which are taken away follows from the tables.

Three rules of kstatus are in them. `Ready` is always there. A condition that is bad news is there
only while it is true. And bad news of two kinds is never there at once: what is reconciling goes on
by itself, what is stalled does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from penstock.resources.reasons import (
    EXECUTION_REASONS,
    FLOW_REASONS,
    GIT_SOURCE_REASONS,
    OTHER_REFUSAL,
    SOURCE_REASONS,
    TRIED_AGAIN,
    TRIGGER_STATE_REASONS,
    WAITS_FOR_A_PERSON,
    WAITS_THAT_PASS,
    Health,
    Reason,
)

_LONGEST_MESSAGE = 32_000

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


class Polarity(Enum):
    """Whether a condition that is True is good news."""

    GOOD = "good"
    BAD = "bad"
    """Then it is absent, not False, where all is well."""


ABSENT = None
"""A condition is not there in that health."""


@dataclass(frozen=True)
class OwnedCondition:
    """A condition that a resource has, and that nobody else sets."""

    type: str
    polarity: Polarity
    says: str
    """What is so where it is True."""
    in_health: Mapping[Health, ConditionStatus | None]
    """The condition's status by the health; it stays what it was in a health that is not here."""


READY = OwnedCondition(
    "Ready",
    Polarity.GOOD,
    "it is as its spec says; an Execution has ended well",
    {
        Health.HEALTHY: "True",
        Health.PROGRESSING: "False",
        Health.DEGRADED: "False",
        Health.RETRIED: "False",
        Health.BLOCKED: "False",
        Health.STALLED: "False",
    },
)
RECONCILING = OwnedCondition(
    "Reconciling",
    Polarity.BAD,
    "it is on its way, or what is in the way is tried again",
    {
        Health.HEALTHY: ABSENT,
        Health.PROGRESSING: "True",
        Health.DEGRADED: ABSENT,
        Health.RETRIED: "True",
        Health.BLOCKED: ABSENT,
        Health.STALLED: ABSENT,
    },
)
STALLED = OwnedCondition(
    "Stalled",
    Polarity.BAD,
    "it does not go on before a person does something",
    {
        Health.HEALTHY: ABSENT,
        Health.PROGRESSING: ABSENT,
        Health.DEGRADED: ABSENT,
        Health.RETRIED: ABSENT,
        Health.BLOCKED: "True",
        Health.STALLED: "True",
    },
)
SUCCEEDED = OwnedCondition(
    "Succeeded",
    Polarity.GOOD,
    "it ended `SUCCESS` or `WARNING`; Unknown while it has not ended",
    # What is in the way says nothing of how it ends.
    {Health.HEALTHY: "True", Health.PROGRESSING: "Unknown", Health.STALLED: "False"},
)
SOURCE_INVALID = OwnedCondition(
    "SourceInvalid",
    Polarity.BAD,
    "the file in Git that it came from can't be taken in; the last good one is kept and runs",
    {Health.STALLED: ABSENT},
)


class NotOwned(Exception):
    """A condition or a reason that the table of the resource lacks: an error of our own."""


class Owner:
    """A resource, with the conditions and the reasons that are its own."""

    def __init__(
        self, kind: str, owned: Iterable[OwnedCondition] = (), reasons: Iterable[Reason] = ()
    ) -> None:
        self.kind = kind
        self.owned = tuple(owned)
        self.reasons = {reason.word: reason for reason in reasons}

    def judged(
        self,
        before: Iterable[Condition],
        reason: str,
        message: str,
        now: datetime,
        generation: int,
    ) -> list[Condition]:
        """The conditions of a resource of which that is to be said. Raises ``NotOwned``."""
        if reason not in self.reasons:
            raise NotOwned(f"no reason `{reason}` for the conditions of a {self.kind}")
        told = _Told(reason, message, now, generation)
        return self._in_health(before, self.reasons[reason].health, told)

    def waiting(
        self,
        before: Iterable[Condition],
        reason: str,
        message: str,
        now: datetime,
        generation: int,
        *,
        stalled: bool,
    ) -> list[Condition]:
        """The conditions of a resource that can't go on now, and why. The API server's words are
        taken as they are; one that nobody knows is told as a refusal."""
        health = Health.BLOCKED if stalled else Health.RETRIED
        known = WAITS_FOR_A_PERSON if stalled else WAITS_THAT_PASS
        word = reason if any(item.word == reason for item in known) else OTHER_REFUSAL
        return self._in_health(before, health, _Told(word, message, now, generation))

    def marked(
        self,
        before: Iterable[Condition],
        owned: OwnedCondition,
        reason: str | None,
        message: str,
        now: datetime,
        generation: int,
    ) -> list[Condition]:
        """The conditions with one that stands beside the health; without it where there is no
        reason. Raises ``NotOwned``."""
        if owned not in self.owned or (reason is not None and reason not in SOURCE_REASONS):
            raise NotOwned(f"no `{owned.type}` with the reason `{reason}` for a {self.kind}")
        if reason is None:
            return _without(before, owned.type)
        return _with(before, owned.type, "True", _Told(reason, message, now, generation))

    def _in_health(
        self, before: Iterable[Condition], health: Health, told: _Told
    ) -> list[Condition]:
        conditions = list(before)
        for owned in self.owned:
            if health not in owned.in_health:
                continue
            status = owned.in_health[health]
            if status is ABSENT:
                conditions = _without(conditions, owned.type)
            elif health is Health.RETRIED and owned is RECONCILING:
                again = _Told(TRIED_AGAIN, f"{told.reason}: {told.message}", told.now, told.seen)
                conditions = _with(conditions, owned.type, status, again)
            else:
                conditions = _with(conditions, owned.type, status, told)
        return conditions


FLOW = Owner("Flow", (READY, RECONCILING, STALLED, SOURCE_INVALID), FLOW_REASONS)
EXECUTION = Owner("Execution", (SUCCEEDED, READY, RECONCILING, STALLED), EXECUTION_REASONS)
GIT_SOURCE = Owner("GitSource", (READY, RECONCILING, STALLED), GIT_SOURCE_REASONS)
TRIGGER_STATE = Owner("TriggerState", (READY, RECONCILING, STALLED), TRIGGER_STATE_REASONS)
KEY_VALUE = Owner("KeyValue")
"""A KeyValue has no status: what is wrong with one is told as an Event."""

OWNERS = {owner.kind: owner for owner in (FLOW, EXECUTION, GIT_SOURCE, TRIGGER_STATE, KEY_VALUE)}


def is_ready(conditions: Iterable[Condition]) -> bool:
    """Whether `Ready` is among the conditions, and True."""
    return any(item.type == READY.type and item.status == "True" for item in conditions)


def tells_of_wait(conditions: Iterable[Condition]) -> bool:
    """Whether the conditions of an object that has no end yet say that it can't go on now."""
    return any(
        item.type == STALLED.type or (item.type == RECONCILING.type and item.reason == TRIED_AGAIN)
        for item in conditions
    )


@dataclass(frozen=True)
class _Told:
    """What a condition says of a generation of the object."""

    reason: str
    message: str
    now: datetime
    seen: int


def _with(
    before: Iterable[Condition], type: str, status: ConditionStatus, told: _Told
) -> list[Condition]:
    """The conditions with one set, at its place; its transition time moves only where its status
    changed."""
    conditions = list(before)
    old = next((item for item in conditions if item.type == type), None)
    same = old is not None and old.status == status
    new = Condition(
        type=type,
        status=status,
        reason=told.reason,
        message=told.message[:_LONGEST_MESSAGE],
        last_transition_time=old.last_transition_time
        if old is not None and same
        else told.now.astimezone(UTC).replace(microsecond=0),
        observed_generation=told.seen,
    )
    if old is None:
        return [*conditions, new]
    return [new if item is old else item for item in conditions]


def _without(conditions: Iterable[Condition], type: str) -> list[Condition]:
    return [condition for condition in conditions if condition.type != type]
