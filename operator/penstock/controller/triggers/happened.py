"""What happened since a Flow trigger looked last: the states into which executions came, each of
which is put to the trigger once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from penstock.controller.triggers.listeners import Listener, Place, flow_of
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import Transition
from penstock.resources.stored import written_date
from penstock.triggers.evaluation import transition
from penstock.triggers.flow_trigger.memory import Memory, transition_key
from penstock.triggers.flow_trigger.model import FlowTrigger


@dataclass
class Looked:
    """Which events were put to a trigger, beside those that its memory knows: that they changed
    nothing need not be found out again."""

    written: object
    """The memory that was written then: where another one is found, nothing was dealt with."""
    until: datetime
    later: dict[str, datetime] = field(default_factory=dict)
    """The states that are dated later, by their keys."""
    at_all: bool = False
    """Whether all executions were looked at: then only those of which there is news need be."""

    def forget(self, until: datetime) -> None:
        """Forget the events up to a date: all of these were dealt with."""
        self.until = max(self.until, until)
        self.later = {key: date for key, date in self.later.items() if date > self.until}


@dataclass(frozen=True)
class Happened:
    """An execution came into a state."""

    key: str
    step: Transition
    execution: Object

    @property
    def place(self) -> Place:
        """Where the execution is."""
        return self.execution["metadata"]["namespace"], self.execution["metadata"]["name"]


def happened(
    executions: Iterable[Object],
    trigger: FlowTrigger,
    listener: Listener,
    memory: Memory,
    looked: Looked,
) -> list[Happened]:
    """List the states into which executions came and which are still to be put to the trigger, in
    the order of their dates."""
    listened = set(trigger.listened)
    found = []
    for execution in executions:
        flow, namespace = flow_of(execution), execution["metadata"]["namespace"]
        if flow is None or not listener.hears(namespace, flow):
            continue
        elsewhere = None if namespace == listener.home else namespace
        for item in _steps(execution, looked.until, elsewhere):
            known = item.key in looked.later or item.key in memory.seen
            if item.step.state in listened and not known:
                found.append(item)
    return sorted(found, key=lambda item: (item.step.date, item.key))


def _steps(execution: Object, since: datetime, elsewhere: str | None) -> Iterator[Happened]:
    """The states into which an execution came later than a date, the latest first."""
    name = execution["metadata"]["name"]
    for told in reversed(execution["status"].get("history") or ()):
        date = written_date(told.get("date"))
        if date is None or date <= since:
            return
        step = Transition(state=told["state"], date=date)
        key = transition_key(transition(name, step.state, date, elsewhere))
        yield Happened(key, step, execution)
