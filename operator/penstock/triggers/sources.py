"""Triggers that the listener serves: what of their properties is whose, and their secrets.

The properties of a source (its address, its credentials) are rendered in the listener, where the
secrets are. What decides and makes the Execution (`conditions`, `when`, `inputs`, `labels`) is
rendered in the gateway, which knows no secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from penstock.expressions import ExpressionError
from penstock.expressions.names import Call, names
from penstock.expressions.registry import HOST_FUNCTIONS
from penstock.flow.document import Trigger
from penstock.flow.model import is_expression
from penstock.triggers.evaluation import Context
from penstock.triggers.firing import Firing, rendered_firing
from penstock.triggers.kinds import SourceTrigger
from penstock.triggers.properties import TriggerProperties, admits
from penstock.triggers.registry import find

GATEWAY_RENDERS = frozenset({"conditions", "when", "inputs", "labels"})
"""The properties that decide about an event, and say what its Execution is given."""


@dataclass(frozen=True)
class SecretName:
    """A secret that a trigger reads."""

    name: str
    namespace: str | None = None
    """The flow's namespace that was named; None where none was."""


def source_type(trigger: str) -> SourceTrigger | None:
    """Give the type of that name where the listener serves it."""
    known = find(trigger)
    return known if isinstance(known, SourceTrigger) and known.served else None


def for_listener(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Take of a trigger's properties what the listener renders."""
    return {key: value for key, value in properties.items() if key not in GATEWAY_RENDERS}


def secrets_of(trigger: Trigger) -> frozenset[SecretName]:
    """Say which secrets a trigger's properties name. One whose name only an expression knows is not
    among them."""
    found = set()
    for call in _calls(for_listener(trigger.properties)):
        if call.name == "secret" and call.args:
            namespace = call.named.get("namespace", (*call.args, None)[1])
            found.add(SecretName(str(call.args[0]), None if namespace is None else str(namespace)))
    return frozenset(found)


def why_not_served(trigger: Trigger, properties: TriggerProperties) -> str | None:
    """Say why a trigger can't be served: who decides about its events reads nothing but Flows."""
    for name in sorted(GATEWAY_RENDERS):
        for call in _calls(trigger.properties.get(name)):
            if call.name in HOST_FUNCTIONS:
                return (
                    f"`{name}` calls {call.name}(), which the gateway may not do when an event "
                    "comes: the trigger is not served. Call it in a task"
                )
    return properties.not_served


def _calls(value: Any) -> Iterator[Call]:
    """All functions that the expressions of a value call."""
    if isinstance(value, BaseModel):
        value = [item for _, item in value]
    elif isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        for item in value:
            yield from _calls(item)
    elif isinstance(value, str) and is_expression(value):
        try:
            yield from names(value).calls
        except ExpressionError:
            return  # rendering tells what is wrong with it


def event_firing(
    properties: TriggerProperties,
    key: str,
    variables: Mapping[str, Any],
    context: Context,
    now: datetime,
) -> Firing | None:
    """Decide about an event of a source: its firing, or None where the trigger's conditions pass it
    over. Raises ``ConditionError`` where that can't be told."""
    seeing = context.seeing(trigger=variables)
    if not admits(properties, seeing):
        return None
    inputs = getattr(properties, "inputs", None) or {}
    return rendered_firing(key, variables, inputs, properties.labels, seeing, now)
