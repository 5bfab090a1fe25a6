"""Whether an execution of another flow makes a Flow trigger fire.

Pure: the trigger, what was seen and what is remembered give what to do and what to remember. The
window of an event is told by the event's own date, so an event that is dealt with late, or twice,
gives the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from penstock.expressions import ExpressionError
from penstock.triggers.conditions.logic import MultipleCondition
from penstock.triggers.evaluation import ConditionError, Context, FlowName, Upstream
from penstock.triggers.firing import Firing, failed_firing
from penstock.triggers.flow_trigger.groups import DEPENDENCIES, Advance, Group, advance, groups_of
from penstock.triggers.flow_trigger.memory import GroupMemory, Memory, Met
from penstock.triggers.flow_trigger.model import FlowTrigger
from penstock.triggers.flow_trigger.views import (
    seen_by_conditions,
    seen_by_when,
    trigger_variables,
)

Recall = Callable[[Met], Mapping[str, Any] | None]
"""The flow outputs of an earlier execution that met an entry; None where it is gone."""


@dataclass(frozen=True)
class Decision:
    """What an event does to a trigger."""

    memory: Memory
    """The memory to keep; the very same object where nothing changed."""
    firing: Firing | None = None
    errors: tuple[str, ...] = ()
    """Conditions that could not be told, and count as not met; and why what was met starts nothing:
    inputs or labels that can't be rendered. With `dependsOn` the firing says that, and fails."""


def decide(
    trigger: FlowTrigger,
    trigger_id: str,
    event: Upstream,
    memory: Memory,
    context: Context,
    recall: Recall = lambda met: None,
) -> Decision:
    """What an execution that reached a state does to the trigger of `context.flow`."""
    if _is_own(event, context) or event.state not in trigger.listened or memory.knows(event):
        return Decision(memory)
    bare = replace(context, upstream=event)
    seeing = seen_by_conditions(bare, event)
    try:
        if not _lets_through(trigger, seeing):
            return Decision(memory)
    except ConditionError as error:
        return Decision(memory, errors=(str(error),))
    groups = list(groups_of(trigger))
    advances = {
        group.key: advance(group, memory.groups.get(group.key, GroupMemory()), seeing, event)
        for group in groups
    }
    errors = tuple(error for item in advances.values() for error in item.errors)
    if groups and not any(item.met for item in advances.values()):
        return Decision(memory, errors=errors)
    if not all(group.complete(advances[group.key].memory, event.date) for group in groups):
        kept = {key: item.memory for key, item in advances.items()}
        return Decision(memory.noting(event, kept, fired=False), errors=errors)
    fired = memory.noting(event, _after(groups, advances, event), fired=True)
    outputs = _outputs(trigger, advances, event, recall)
    seen = seen_by_conditions(bare, event, outputs)
    firing = Firing(
        key=execution_key(context.flow, trigger_id, event),
        variables={**trigger_variables(event), "outputs": dict(outputs)},
    )
    try:
        return Decision(fired, _rendered(trigger, firing, seen, event.date), errors)
    except ExpressionError as error:
        if not trigger.depends_on:
            return Decision(fired, errors=(*errors, str(error)))
        failed = failed_firing(firing, f"its inputs or labels can't be rendered: {error}")
        return Decision(fired, failed, errors)


def _is_own(event: Upstream, context: Context) -> bool:
    """Tell whether an event is of the trigger's own flow, to which it never listens."""
    return event.flow == context.flow and event.kubernetes_namespace is None


def _lets_through(trigger: FlowTrigger, context: Context) -> bool:
    """Conditions that one look at the execution tells."""
    plain = (item for item in trigger.conditions if not isinstance(item, MultipleCondition))
    return all(item.holds(context) for item in plain) and seen_by_when(context).when(trigger.when)


def _after(
    groups: list[Group], advances: Mapping[str, Advance], event: Upstream
) -> dict[str, GroupMemory]:
    return {group.key: group.fired(advances[group.key].memory, event.date) for group in groups}


def _rendered(trigger: FlowTrigger, firing: Firing, seen: Context, date: datetime) -> Firing:
    """Give a firing what the trigger gives its execution. Raises ``ExpressionError``."""
    language, known = seen.language, seen.variables
    labels = {name: language.render(text, known, date) for name, text in trigger.labels.items()}
    inputs = language.evaluate(trigger.inputs, known, date)
    return replace(firing, inputs=inputs, labels=labels)


def execution_key(listening: FlowName, trigger_id: str, event: Upstream) -> str:
    """What names the execution that an event starts: always the same, so that it is started once,
    whoever decides about it again."""
    parts = (listening.namespace, listening.id, trigger_id, event.transition)
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]


def _outputs(
    trigger: FlowTrigger, advances: Mapping[str, Advance], event: Upstream, recall: Recall
) -> Mapping[str, Any]:
    """The outputs of the execution; for `dependsOn` also those of the others, by flow id."""
    own = event.outputs or {}
    if not trigger.depends_on:
        return own
    scoped: dict[str, Any] = {}
    for met in sorted(advances[DEPENDENCIES].memory.met.values(), key=lambda met: met.date):
        is_last = (met.execution, met.kubernetes_namespace) == (
            event.id,
            event.kubernetes_namespace,
        )
        found = own if is_last else recall(met)
        scoped[met.flow_id] = dict(found or {})
    return {**scoped, **own} if len(trigger.depends_on) == 1 else {**own, **scoped}
