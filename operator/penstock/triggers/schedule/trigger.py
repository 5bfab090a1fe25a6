"""The type of the Schedule trigger: its names, and the execution for a due time."""

from __future__ import annotations

from datetime import UTC, datetime

from penstock.triggers.evaluation import Context
from penstock.triggers.firing import Firing, rendered_firing
from penstock.triggers.kinds import ClockDecision, ClockTrigger
from penstock.triggers.schedule.due import due, first_due, next_look, schedule_variables
from penstock.triggers.schedule.model import Schedule

SCHEDULE = "io.kestra.plugin.core.trigger.Schedule"


def decide(schedule: Schedule, last: datetime, now: datetime, context: Context) -> ClockDecision:
    """The execution for the next due time in (last, now], by the policy for missed ones."""
    call = due(schedule, last, now, context)
    if call.fire is None or call.error is not None:
        return ClockDecision(call.handled, call.fire, error=call.error)
    return ClockDecision(call.handled, call.fire, fired(schedule, call.fire, context))


def backfill(
    schedule: Schedule, after: datetime, until: datetime, context: Context
) -> ClockDecision:
    """The execution for the first due time of a range that passed."""
    call = first_due(schedule, after, until, context)
    if call.fire is None or call.error is not None:
        return ClockDecision(call.handled, call.fire, error=call.error)
    return ClockDecision(call.handled, call.fire, fired(schedule, call.fire, context))


def fired(schedule: Schedule, date: datetime, context: Context) -> Firing:
    """The execution for one due time."""
    variables = schedule_variables(schedule, date, context)
    seeing = context.seeing(trigger=variables, schedule=variables)
    key = date.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
    return rendered_firing(key, variables, schedule.inputs, schedule.labels, seeing, date)


def plan(schedule: Schedule) -> str:
    """The cron expression and its zone: what the due times follow from."""
    return f"{schedule.cron} {schedule.timezone}"


TRIGGER = ClockTrigger(
    SCHEDULE,
    Schedule,
    ("io.kestra.core.models.triggers.types.Schedule",),
    served=True,
    plan=plan,
    decide=decide,
    next_look=next_look,
    backfill=backfill,
)
