"""Flow triggers on this machine: an execution that reached a state starts one of another flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.engine.interface.actions import Report, StartExecution
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.tree import FlowTree
from penstock.flow.document import Flow, Trigger
from penstock.local.execution import LocalExecution
from penstock.local.flows import LocalFlows
from penstock.local.surroundings import Surroundings
from penstock.local.trigger_context import trigger_context
from penstock.resources.execution import (
    ExecutionSpec,
    FlowReference,
    Transition,
)
from penstock.resources.names import execution_prefix
from penstock.triggers.evaluation import FlowName, Upstream
from penstock.triggers.firing import Firing
from penstock.triggers.flow_trigger.chain import is_endless
from penstock.triggers.flow_trigger.decision import decide
from penstock.triggers.flow_trigger.memory import Memory, Met
from penstock.triggers.flow_trigger.misses import missed, next_deadline
from penstock.triggers.flow_trigger.model import FlowTrigger
from penstock.triggers.flow_trigger.trigger import TRIGGER

IsEnabled = Callable[[str, str, str], bool | None]
"""Tells whether tasks enabled or disabled a trigger, by namespace, flow and trigger; None where
they did neither."""


@dataclass
class _Armed:
    """A Flow trigger and what it remembers."""

    flow: Flow
    trigger: Trigger
    properties: FlowTrigger
    memory: Memory


class FlowTriggers:
    """Decides which Flow triggers fire."""

    def __init__(
        self,
        flows: LocalFlows,
        executions: Mapping[str, LocalExecution],
        surroundings: Surroundings,
        is_enabled: IsEnabled,
        now: datetime,
    ) -> None:
        self._executions = executions
        self._surroundings = surroundings
        self._is_enabled = is_enabled
        self._armed = [
            _Armed(flow, trigger, properties, Memory.armed(now))
            for flow in flows
            if not flow.disabled
            for trigger in flow.triggers
            if (properties := _properties(trigger)) is not None
        ]

    def reached(self, execution: LocalExecution, step: Transition) -> Iterator[StartExecution]:
        """The executions to start because an execution has reached a state."""
        listening = [
            armed
            for armed in self._armed
            if step.state in armed.properties.listened and self._fires(armed)
        ]
        if not listening or execution.flow is None:
            return
        event = _upstream(execution, execution.flow, step)
        for armed in listening:
            decision = decide(
                armed.properties,
                armed.trigger.id,
                event,
                armed.memory,
                trigger_context(armed.flow, step.date, self._surroundings),
                self._outputs_of,
            )
            armed.memory = decision.memory
            for error in decision.errors:
                _warn(execution, armed, error)
            if decision.firing is not None:
                yield from self._start(execution, armed, decision.firing)

    def next_deadline(self, now: datetime) -> datetime | None:
        """Tell when the next window of a trigger ends that may be missed; None where none is."""
        dates = (next_deadline(armed.properties, now) for armed in self._armed)
        return min((date for date in dates if date is not None), default=None)

    def missed(self, now: datetime) -> Iterator[StartExecution]:
        """The executions to start, which are FAILED, because windows ended without what they wait
        for."""
        for armed in self._armed:
            context = trigger_context(armed.flow, now, self._surroundings)
            armed.memory, firing = missed(
                armed.properties, armed.trigger.id, armed.memory, now, context
            )
            if firing is not None and self._fires(armed):
                yield _action(armed, firing)

    def _fires(self, armed: _Armed) -> bool:
        toggled = self._is_enabled(armed.flow.namespace, armed.flow.id, armed.trigger.id)
        return not armed.trigger.disabled if toggled is None else toggled

    def _start(
        self, execution: LocalExecution, armed: _Armed, firing: Firing
    ) -> Iterator[StartExecution]:
        if is_endless(execution.name, self._started_by):
            _warn(execution, armed, "flows start each other without end")
            return
        yield _action(armed, firing)

    def _started_by(self, name: str) -> str | None:
        execution = self._executions.get(name)
        trigger = None if execution is None else execution.spec.trigger
        found = None if trigger is None else trigger.variables.get("executionId")
        return None if found is None else str(found)

    def _outputs_of(self, met: Met) -> Mapping[str, Any] | None:
        execution = self._executions.get(met.execution)
        return None if execution is None else execution.status.outputs


def _action(armed: _Armed, firing: Firing) -> StartExecution:
    spec = ExecutionSpec(
        flow=FlowReference(namespace=armed.flow.namespace, id=armed.flow.id),
        inputs=dict(firing.inputs),
        labels=dict(firing.labels),
        trigger=firing.reference(armed.trigger),
    )
    return StartExecution(f"{execution_prefix(armed.flow.id)}-{firing.key[:10]}", spec)


def _properties(trigger: Trigger) -> FlowTrigger | None:
    """The properties of a Flow trigger that is served; None for any other trigger."""
    if not TRIGGER.has_name(trigger.type):
        return None
    properties = FlowTrigger.model_validate(trigger.properties, context={})
    return properties if properties.not_served is None else None


def _upstream(execution: LocalExecution, flow: Flow, step: Transition) -> Upstream:
    status, name = execution.status, FlowName(flow.namespace, flow.id)
    run_index = TaskRunIndex(status.task_runs, FlowTree(flow).traits)
    return Upstream.of(execution.name, name, status, step, run_index.visible_outputs())


def _warn(execution: LocalExecution, armed: _Armed, message: str) -> None:
    name = f"{armed.flow.namespace}.{armed.flow.id}, trigger {armed.trigger.id}"
    execution.watcher.reported(Report("TriggerFailed", f"{name}: {message}", warning=True))
