"""Flow triggers on this machine: an execution that reached a state starts one of another flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.engine.interface.actions import Report, StartExecution
from penstock.engine.interface.limits import Limits
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.tree import FlowTree
from penstock.expressions import ExpressionError, Host
from penstock.flow.document import Flow, Trigger
from penstock.local.execution import LocalExecution
from penstock.local.flows import LocalFlows
from penstock.local.resource import slug
from penstock.local.surroundings import Surroundings
from penstock.resources.execution import (
    ExecutionSpec,
    FlowReference,
    Transition,
    TriggerReference,
)
from penstock.triggers.evaluation import Context, FlowName, Upstream
from penstock.triggers.flow_trigger.decision import Fire, decide
from penstock.triggers.flow_trigger.memory import Memory
from penstock.triggers.flow_trigger.model import FlowTrigger
from penstock.triggers.types import FLOW, find
from penstock.types import expressions

IsEnabled = Callable[[str, str, str], bool | None]
"""What tasks made of a trigger, by namespace, flow and trigger; None where they left it."""


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
                self._context(armed.flow, step.date),
                self._outputs_of,
            )
            armed.memory = decision.memory
            for error in decision.errors:
                _warn(execution, armed, error)
            if decision.fire is not None:
                yield from self._start(execution, armed, decision.fire, step.date)

    def _fires(self, armed: _Armed) -> bool:
        toggled = self._is_enabled(armed.flow.namespace, armed.flow.id, armed.trigger.id)
        return not armed.trigger.disabled if toggled is None else toggled

    def _start(
        self, execution: LocalExecution, armed: _Armed, fire: Fire, date: datetime
    ) -> Iterator[StartExecution]:
        if self._chain(execution) >= Limits().depth:
            _warn(execution, armed, "flows start each other without end")
            return
        host = Host(now=lambda: date)
        try:
            inputs = expressions().evaluate_tree(armed.properties.inputs, fire.seen, host)
            labels = {
                key: expressions().render(value, fire.seen, host) or ""
                for key, value in armed.properties.labels.items()
            }
        except ExpressionError as error:
            _warn(execution, armed, str(error))
            return
        spec = ExecutionSpec(
            flow=FlowReference(namespace=armed.flow.namespace, id=armed.flow.id),
            inputs=inputs,
            labels=labels,
            trigger=TriggerReference(
                id=armed.trigger.id,
                type=armed.trigger.type,
                variables={**fire.variables, "outputs": dict(fire.outputs)},
            ),
        )
        yield StartExecution(f"{slug(armed.flow.id)}-{fire.key[:10]}", spec)

    def _chain(self, execution: LocalExecution) -> int:
        """The length of the chain of triggered executions that ends with one."""
        length = 0
        at: LocalExecution | None = execution
        while at is not None and at.spec.trigger is not None:
            length += 1
            at = self._executions.get(str(at.spec.trigger.variables.get("executionId")))
        return length

    def _outputs_of(self, name: str) -> Mapping[str, Any] | None:
        execution = self._executions.get(name)
        return None if execution is None else execution.status.outputs

    def _context(self, flow: Flow, date: datetime) -> Context:
        host = Host(now=lambda: date)
        variables = {
            "flow": {"id": flow.id, "namespace": flow.namespace, "revision": 1},
            "vars": flow.variables,
            "envs": dict(self._surroundings.environment),
            "globals": dict(self._surroundings.variables),
        }
        return Context(
            lambda template, seen: expressions().evaluate(template, seen, host),
            variables,
            FlowName(flow.namespace, flow.id),
        )


def _properties(trigger: Trigger) -> FlowTrigger | None:
    """The properties of a Flow trigger that is served; None for any other trigger."""
    known = find(trigger.type)
    if known is None or known.name != FLOW:
        return None
    properties = FlowTrigger.model_validate(trigger.properties, context={})
    return properties if properties.not_served is None else None


def _upstream(execution: LocalExecution, flow: Flow, step: Transition) -> Upstream:
    status = execution.status
    board = TaskRunIndex(status.task_runs, FlowTree(flow).traits)
    return Upstream(
        id=execution.name,
        namespace=flow.namespace,
        flow_id=flow.id,
        state=str(step.state),
        date=step.date,
        labels=status.labels,
        outputs=status.outputs,
        task_outputs=board.visible_outputs(),
        attempts=[[str(item.state) for item in run.attempts] for run in status.task_runs],
    )


def _warn(execution: LocalExecution, armed: _Armed, message: str) -> None:
    name = f"{armed.flow.namespace}.{armed.flow.id}, trigger {armed.trigger.id}"
    execution.watcher.reported(Report("TriggerFailed", f"{name}: {message}", warning=True))
