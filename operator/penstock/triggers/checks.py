"""What a flow's author should know of its triggers, before anything is due."""

from __future__ import annotations

from pydantic import ValidationError

from penstock.flow.document import Trigger
from penstock.flow.problems import Problem
from penstock.flow.validation import from_validation
from penstock.triggers.schedule import Schedule, is_schedule


def check_trigger(trigger: Trigger) -> list[Problem]:
    """Problems of one trigger, located from the trigger itself.

    A wrong schedule refuses the flow. A trigger that Penstock does not serve is only a warning: the
    flow can still be started otherwise.
    """
    if not is_schedule(trigger):
        message = f"triggers of type {trigger.type} are not served yet"
        return [Problem(("type",), message, code="not_served", warning=True)]
    try:
        schedule = Schedule.model_validate(trigger.properties)
    except ValidationError as error:
        return from_validation(error, trigger.properties)
    if schedule.not_served is not None:
        return [Problem((), schedule.not_served, code="not_served", warning=True)]
    return []
