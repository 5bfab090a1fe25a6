"""What a flow's author should know of its triggers, before anything is due."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from penstock.flow.document import Trigger
from penstock.flow.known_types import may_exist
from penstock.flow.problems import Problem
from penstock.flow.validation import from_validation
from penstock.triggers.kinds import TriggerType
from penstock.triggers.naming import nearest_type
from penstock.triggers.properties import TriggerProperties
from penstock.triggers.registry import find, trigger_types


def check_trigger(trigger: Trigger) -> list[Problem]:
    """Problems of one trigger, located from the trigger itself.

    A wrong trigger refuses the flow. One that Penstock does not serve is only a warning: the flow
    can still be started otherwise.
    """
    known = find(trigger.type)
    if known is None:
        return [_unknown(trigger.type)]
    try:
        properties = known.model.model_validate(trigger.properties, context={})
    except ValidationError as error:
        return from_validation(error, trigger.properties)
    return list(_warnings(trigger, known, properties))


def _unknown(name: str) -> Problem:
    if may_exist(name):
        message = f"triggers of type {name} are not served yet"
        return Problem(("type",), message, code="not_served", warning=True)
    hint = nearest_type(name, (known.name for known in trigger_types()))
    return Problem(("type",), f"no trigger type `{name}`{hint}", code="unknown_type")


def _warnings(
    trigger: Trigger, known: TriggerType, properties: TriggerProperties
) -> Iterator[Problem]:
    if not known.served:
        message = f"triggers of type {trigger.type} are not served yet"
        yield Problem(("type",), message, code="not_served", warning=True)
    if properties.not_served is not None:
        yield Problem((), properties.not_served, code="not_served", warning=True)
    if trigger.type.lower() != known.name.lower():
        message = f"deprecated; use `{known.name}`"
        yield Problem(("type",), message, code="deprecated", warning=True)
    for place, reason in properties.deprecated():
        yield Problem(place, f"deprecated; {reason}", code="deprecated", warning=True)
    for place, reason in properties.without_effect():
        yield Problem(place, reason, code="no_effect", warning=True)
    if properties.unconditional:
        message = "without conditions it fires for every execution of every other flow"
        yield Problem((), message, code="unconditional", warning=True)
