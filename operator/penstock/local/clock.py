"""The triggers of flows that fire at dates, on this machine and by its clock.

Dates count from the moment at which the run begins: nothing is known of those before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from penstock.engine.interface.actions import StartExecution
from penstock.flow.document import Flow, Trigger
from penstock.local.execution import LocalExecution
from penstock.local.flow_triggers import IsEnabled
from penstock.local.flows import LocalFlows
from penstock.local.surroundings import Surroundings
from penstock.local.trigger_context import trigger_context
from penstock.resources.execution import ExecutionSpec, FlowReference
from penstock.resources.names import execution_prefix, slug
from penstock.triggers.firing import Firing
from penstock.triggers.kinds import ClockTrigger
from penstock.triggers.properties import TriggerProperties
from penstock.triggers.registry import find

_READABLE = 30
"""Characters of a trigger's id in the names of its executions."""


@dataclass
class _Armed:
    """A trigger, and how far its dates are dealt with."""

    flow: Flow
    trigger: Trigger
    kind: ClockTrigger
    properties: TriggerProperties
    last: datetime
    next: datetime | None
    started: str | None = None
    """The execution that it started last."""
    stopped: bool = False
    """Whether its `stopAfter` stopped it."""


class LocalClock:
    """Decides which triggers are due."""

    def __init__(
        self,
        flows: LocalFlows,
        executions: Mapping[str, LocalExecution],
        surroundings: Surroundings,
        is_enabled: IsEnabled,
        told: Callable[[str], None],
        now: datetime,
    ) -> None:
        """`told` takes what is worth telling a person."""
        self._executions = executions
        self._surroundings = surroundings
        self._is_enabled = is_enabled
        self._told = told
        self._armed = [
            armed
            for flow in flows
            if not flow.disabled
            for trigger in flow.triggers
            if (armed := self._arm(flow, trigger, now)) is not None
        ]

    @property
    def next_date(self) -> datetime | None:
        """The earliest date of a trigger that does not wait for its last execution; None where
        there is none."""
        dates = [armed.next for armed in self._armed if self._may_start(armed)]
        return min((date for date in dates if date is not None), default=None)

    def due(self, now: datetime) -> Iterator[StartExecution]:
        """Give the executions to start now."""
        for armed in self._armed:
            self._stop_after(armed)
            while armed.next is not None and armed.next <= now and self._may_start(armed):
                firing = self._decide(armed, now)
                if firing is not None:
                    yield self._start(armed, firing)

    def _arm(self, flow: Flow, trigger: Trigger, now: datetime) -> _Armed | None:
        """Arm a trigger; None where it does not fire at dates, or can't be served."""
        kind = find(trigger.type)
        if not isinstance(kind, ClockTrigger) or not kind.served:
            return None
        properties = kind.model.model_validate(trigger.properties, context={})
        if properties.not_served is not None:
            self._told(f"{_name(flow, trigger)}: {properties.not_served}")
            return None
        context = trigger_context(flow, now, self._surroundings)
        return _Armed(
            flow, trigger, kind, properties, now, kind.next_look(properties, now, context)
        )

    def _decide(self, armed: _Armed, now: datetime) -> Firing | None:
        """Deal with the next date of a trigger. One for which nothing can be started is told of."""
        context = trigger_context(armed.flow, now, self._surroundings)
        decision = armed.kind.decide(armed.properties, armed.last, now, context)
        after = max(decision.handled, armed.next or now)
        armed.last = decision.handled
        armed.next = armed.kind.next_look(armed.properties, after, context)
        if decision.error is not None:
            self._told(f"{_name(armed.flow, armed.trigger)}, {decision.date}: {decision.error}")
        if not self._is_on(armed):
            return None
        return decision.firing

    def _start(self, armed: _Armed, firing: Firing) -> StartExecution:
        for problem in firing.what_is_wrong:
            self._told(f"{_name(armed.flow, armed.trigger)}: {problem}")
        spec = ExecutionSpec(
            flow=FlowReference(namespace=armed.flow.namespace, id=armed.flow.id),
            inputs=dict(firing.inputs),
            labels=dict(firing.labels),
            trigger=firing.reference(armed.trigger),
        )
        readable = slug(armed.trigger.id, _READABLE)
        armed.started = f"{execution_prefix(armed.flow.id)}-{readable}-{firing.key}"
        return StartExecution(armed.started, spec)

    def _may_start(self, armed: _Armed) -> bool:
        """Tell whether a trigger is not stopped, and does not wait for its last execution."""
        if armed.stopped:
            return False
        if armed.started is None or armed.properties.allow_concurrent:
            return True
        last = self._executions.get(armed.started)
        return last is not None and last.finished

    def _stop_after(self, armed: _Armed) -> None:
        """Stop a trigger whose last execution ended in a state of its `stopAfter`."""
        last = self._executions.get(armed.started or "")
        if armed.stopped or last is None or not last.finished:
            return
        if armed.properties.stops_after(last.status.state):
            armed.stopped = True
            self._told(
                f"{_name(armed.flow, armed.trigger)}: stopped by `stopAfter`, as {last.name} "
                f"ended {last.status.state}"
            )

    def _is_on(self, armed: _Armed) -> bool:
        """Tell whether a trigger is enabled, by the flow or by a Toggle task."""
        toggled = self._is_enabled(armed.flow.namespace, armed.flow.id, armed.trigger.id)
        return not armed.trigger.disabled if toggled is None else toggled


def _name(flow: Flow, trigger: Trigger) -> str:
    return f"{flow.namespace}.{flow.id}, trigger {trigger.id}"
