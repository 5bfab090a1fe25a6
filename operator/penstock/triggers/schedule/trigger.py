"""The type of the Schedule trigger: its names, and the execution for a due time."""

from __future__ import annotations

from datetime import UTC, datetime

from penstock.triggers.evaluation import Context
from penstock.triggers.firing import Firing, failed_firing, rendered_firing
from penstock.triggers.kinds import ClockDecision, ClockTrigger
from penstock.triggers.schedule.due import Due, due, first_due, next_look, schedule_variables
from penstock.triggers.schedule.model import Schedule

SCHEDULE = "io.kestra.plugin.core.trigger.Schedule"


def decide(schedule: Schedule, last: datetime, now: datetime, context: Context) -> ClockDecision:
    """The execution for the next due time in (last, now], by the policy for missed ones."""
    call = due(schedule, last, now, context)
    return _decided(schedule, call, context)


def backfill(
    schedule: Schedule, after: datetime, until: datetime, context: Context
) -> ClockDecision:
    """The execution for the first due time of a range that passed."""
    call = first_due(schedule, after, until, context)
    return _decided(schedule, call, context)


def _decided(schedule: Schedule, call: Due, context: Context) -> ClockDecision:
    """A due time of which it can't be told whether it counts has an execution that is FAILED."""
    if call.fire is None:
        return ClockDecision(call.handled)
    firing = fired(schedule, call.fire, context)
    if call.error is not None:
        firing = failed_firing(firing, f"it can't be told whether {call.fire} counts: {call.error}")
    return ClockDecision(call.handled, call.fire, firing)


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
