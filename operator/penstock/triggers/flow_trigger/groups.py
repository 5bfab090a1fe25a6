"""Entries of which several must be met: `preconditions`, a MultipleCondition, `dependsOn`.

All three are one thing: named entries, how many of them are needed, the window in which they must
be met, and what firing does to them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from penstock.flow.model import Document
from penstock.triggers.evaluation import ConditionError, Context, Upstream
from penstock.triggers.flow_trigger.memory import GroupMemory, Met
from penstock.triggers.flow_trigger.model import Dependency, FlowTrigger
from penstock.triggers.flow_trigger.preconditions import UpstreamFlow
from penstock.triggers.windows import EVER, Span

DEPENDENCIES = "dependsOn"

AfterFiring = Literal["forget", "keep", "rest"]
"""All are to be met anew; each further one fires again; nothing more in this window."""


class Entry(Protocol):
    """Something that an execution meets, or does not."""

    def holds(self, context: Context) -> bool: ...


@dataclass(frozen=True)
class Group:
    """Entries that belong together."""

    key: str
    entries: Mapping[str, Entry]
    needed: int
    around: Callable[[datetime], Span | None]
    """The window in which a date lies."""
    after_firing: AfterFiring

    def complete(self, memory: GroupMemory, date: datetime) -> bool:
        """Whether enough is met for the trigger to fire."""
        if self.after_firing == "rest" and memory.fired is not None:
            span = self.around(date)
            if span is None or memory.fired in span:
                return False
        return len(memory.met) >= self.needed

    def fired(self, memory: GroupMemory, date: datetime) -> GroupMemory:
        """After the trigger fired."""
        met = {} if self.after_firing == "forget" else memory.met
        return GroupMemory(met=met, fired=date)


def groups_of(trigger: FlowTrigger) -> Iterator[Group]:
    """All groups of a trigger; it fires when each of them is complete."""
    for condition in trigger.multiple_conditions:
        yield Group(
            key=f"condition/{condition.id}",
            entries=condition.conditions,
            needed=len(condition.conditions),
            around=condition.effective_window().around,
            after_firing="forget" if condition.reset_on_success else "keep",
        )
    wanted = trigger.preconditions
    if wanted is not None and (wanted.flows or wanted.where):
        entries = {**_keyed(wanted.flows), **{f"where/{item.id}": item for item in wanted.where}}
        yield Group(
            key=f"preconditions/{wanted.id}",
            entries=entries,
            needed=len(entries),
            around=wanted.time_window.around,
            after_firing="forget" if wanted.reset_on_success else "keep",
        )
    if trigger.depends_on:
        yield _dependencies(trigger)


def _dependencies(trigger: FlowTrigger) -> Group:
    entries = _keyed(trigger.depends_on)
    numbers = {"ALL": len(entries), "ANY": 1, "AT_LEAST": trigger.min_satisfied or 1}
    window = trigger.window
    after_firing: AfterFiring = "forget"
    if window is not None:
        after_firing = "rest" if window.fire_once else "keep"
    return Group(
        key=DEPENDENCIES,
        entries=entries,
        needed=min(numbers[trigger.mode], len(entries)),
        around=window.around if window is not None else lambda date: EVER,
        after_firing=after_firing,
    )


def _keyed(entries: Iterable[UpstreamFlow | Dependency]) -> dict[str, Entry]:
    """Keys that do not depend on the order, and change with what the entry says."""
    return {f"flow/{_digest(entry)}": entry for entry in entries}


def _digest(entry: Document) -> str:
    text = json.dumps(entry.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Advance:
    """What an event did to a group."""

    memory: GroupMemory
    met: bool
    """Whether the event met one of its entries."""
    errors: tuple[str, ...] = ()
    """Errors of entries that could not be told; they count as not met."""


def advance(group: Group, memory: GroupMemory, context: Context, event: Upstream) -> Advance:
    """Put an event to a group: what is out of the window is forgotten, what it meets is kept."""
    span = group.around(event.date)
    known = {key: met for key, met in memory.met.items() if key in group.entries}
    memory = memory.model_copy(update={"met": known})
    if span is None or _is_of_an_older_window(span, memory):
        return Advance(memory, met=False)
    errors: list[str] = []
    new: dict[str, Met] = {}
    for key, entry in group.entries.items():
        try:
            if entry.holds(context):
                new[key] = Met(
                    execution=event.id,
                    flow_id=event.flow_id,
                    date=event.date,
                    kubernetes_namespace=event.kubernetes_namespace,
                )
        except ConditionError as error:
            errors.append(str(error))
    if not new:
        return Advance(memory, met=False, errors=tuple(errors))
    kept = {key: met for key, met in known.items() if met.date in span}
    later = {key: met for key, met in kept.items() if key in new and met.date > event.date}
    memory = memory.model_copy(update={"met": {**kept, **new, **later}})
    return Advance(memory, met=True, errors=tuple(errors))


def _is_of_an_older_window(span: Span, memory: GroupMemory) -> bool:
    """Whether something was met already in a later window: this event comes too late."""
    return span.end is not None and any(met.date >= span.end for met in memory.met.values())
