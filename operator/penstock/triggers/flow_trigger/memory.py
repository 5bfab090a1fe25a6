"""What a Flow trigger remembers between two executions that it sees.

A small JSON value. Beside what was met it holds which events were dealt with, so that one that is
seen again, after a restart for example, changes nothing.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime

from penstock.resources.execution import ResourceModel
from penstock.triggers.evaluation import Upstream

_KEPT_EVENTS = 500
"""How many events of a burst are told apart. One that becomes known after so many later ones counts
for nothing."""
_KEPT_FIRINGS = 20


class Met(ResourceModel):
    """The execution that met an entry last."""

    execution: str
    flow_id: str
    date: AwareDatetime
    kubernetes_namespace: str | None = None
    """Where it is, if that is another Kubernetes namespace than that of the trigger."""


class GroupMemory(ResourceModel):
    """What was met of entries that belong together."""

    met: dict[str, Met] = {}
    """Events by the key of the entry."""
    fired: AwareDatetime | None = None
    """The date of the event at which the trigger fired last."""


class Memory(ResourceModel):
    """All that one trigger remembers."""

    since: AwareDatetime
    """Events that are not later than this were dealt with, or came before the trigger was there."""
    seen: dict[str, AwareDatetime] = {}
    """The later events that were dealt with."""
    groups: dict[str, GroupMemory] = {}
    fired: list[AwareDatetime] = []
    """The dates of the last events at which the trigger fired."""
    definition: str | None = None
    """A hash of what the trigger said when it last looked: what happened before it was changed does
    not count."""
    checked: AwareDatetime
    """The instant up to which ended windows were looked at, for `onMiss`."""

    @classmethod
    def armed(cls, now: datetime) -> Memory:
        """The memory of a trigger that is new: what ended before it does not count."""
        return cls(since=now, checked=now)

    def to_json(self) -> dict[str, Any]:
        """The memory as JSON, for keeping; ``model_validate`` reads it back."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def knows(self, event: Upstream) -> bool:
        """Whether the event was dealt with."""
        return event.date <= self.since or event_key(event) in self.seen

    def anew(self, now: datetime) -> Memory:
        """The memory of a trigger for which nothing counts that happened, or was missed, up to
        now. What was met stays so."""
        return self.forgetting(now).model_copy(update={"checked": now})

    def forgetting(self, until: datetime) -> Memory:
        """The memory of a trigger for which no event up to a date is to be dealt with any more.
        What was met stays so."""
        since = max(self.since, until)
        seen = {key: date for key, date in self.seen.items() if date > since}
        return self.model_copy(update={"since": since, "seen": seen})

    def noting(self, event: Upstream, groups: dict[str, GroupMemory], *, fired: bool) -> Memory:
        """After an event that counted. The oldest events are forgotten behind `since`."""
        seen = {**self.seen, event_key(event): event.date}
        since = self.since
        ordered = sorted(seen.items(), key=lambda item: item[1])
        while len(ordered) > _KEPT_EVENTS:
            since = ordered.pop(0)[1]
        firings = sorted([*self.fired, event.date])[-_KEPT_FIRINGS:] if fired else self.fired
        update = {"since": since, "seen": dict(ordered), "groups": groups, "fired": firings}
        return self.model_copy(update=update)


def event_key(event: Upstream) -> str:
    """An execution that went into a state: the same event has the same key, and another one where
    the execution comes into that state again."""
    return transition_key(event.transition)


def transition_key(transition: str) -> str:
    """The key of an event, from what tells its transition from every other one."""
    return hashlib.sha256(transition.encode()).hexdigest()[:16]
