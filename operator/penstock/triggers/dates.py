"""ScheduleOnDates: one execution for each of the given dates."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from penstock.expressions import ExpressionError
from penstock.expressions.dates.moments import to_moment
from penstock.expressions.dates.names import names
from penstock.flow.model import is_expression
from penstock.flow.values import parse_json
from penstock.resources.names import short_hash
from penstock.triggers.evaluation import ConditionError, Context
from penstock.triggers.firing import Firing, failed_firing, rendered_firing
from penstock.triggers.kinds import ClockDecision, ClockTrigger
from penstock.triggers.properties import TriggerProperties, admits
from penstock.triggers.schedule.due import Due, was_missed
from penstock.triggers.schedule.model import Recovery
from penstock.triggers.times import read_zone

SCHEDULE_ON_DATES = "io.kestra.plugin.core.trigger.ScheduleOnDates"
_LONGEST_PLAN = 500
"""Characters of dates that are shown as they are written."""


def _date_text(value: Any) -> str:
    """A date as it is written: without offset it is in the trigger's zone, not yet known here."""
    text = value if isinstance(value, str) else str(value)
    if not is_expression(text):
        try:
            _moment(text, UTC)
        except ExpressionError:
            reason = "`{value}` is not a date-time; write for example 2025-12-31T23:59:59+01:00"
            raise PydanticCustomError("date_time", reason, {"value": text}) from None
    return text


def _dates(value: Any) -> Any:
    return [value] if is_expression(value) else value


def _moment(value: Any, zone: tzinfo) -> datetime:
    return to_moment(value, zone, None, names(None))


class ScheduleOnDates(TriggerProperties):
    """Starts an execution at each of some dates.

    ```yaml
    id: releases
    type: io.kestra.plugin.core.trigger.ScheduleOnDates
    timezone: Europe/Oslo
    dates:
      - "2027-03-01T09:00:00Z"
      - "2027-09-01T09:00:00Z"
    ```
    """

    dates: Annotated[
        list[Annotated[str, BeforeValidator(_date_text)]],
        Field(min_length=1),
        BeforeValidator(_dates),
    ]
    """Dates; an expression may stand for one of them, and for the whole list."""
    timezone: str = "UTC"
    """The zone of dates that have no offset; may be an expression."""
    inputs: dict[str, Any] = {}
    """Inputs of the executions; may be expressions."""
    recover_missed_schedules: Recovery = "ALL"
    """What becomes of dates that passed while nothing could start."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if not is_expression(value):
            read_zone(value)
        return value

    def moments(self, context: Context) -> list[datetime]:
        """The dates, ascending, each once. Raises ``ConditionError`` where one is none."""
        zone_name = context.value(self.timezone)
        try:
            zone = read_zone(str(zone_name))
            written = [item for text in self.dates for item in _items(context.value(text))]
            return sorted({_moment(item, zone) for item in written})
        except (ExpressionError, ValueError) as error:
            raise ConditionError(f"the dates can't be told: {error}") from None


def _items(value: Any) -> list[Any]:
    """What one rendered text stands for: a date, or a list of them, also as JSON text."""
    if isinstance(value, str) and value.strip().startswith("["):
        value = parse_json(value)
    return list(value) if isinstance(value, list | tuple) else [value]


def due_on_dates(trigger: ScheduleOnDates, last: datetime, now: datetime, context: Context) -> Due:
    """The next date in (last, now] to act upon. Raises ``ConditionError`` as `moments`."""
    passed = [date for date in trigger.moments(context) if last < date <= now]
    if trigger.recover_missed_schedules != "ALL":
        passed.reverse()
    for date in passed:
        text = {"date": date.isoformat(timespec="milliseconds")}
        try:
            if not admits(trigger, context.seeing(trigger=text)):
                continue
        except ConditionError as error:
            return Due(date, date, str(error))
        if was_missed(trigger.recover_missed_schedules, date, now):
            break
        return Due(date, date)
    return Due(None, max(passed, default=last))


def next_on_dates(trigger: ScheduleOnDates, after: datetime, context: Context) -> datetime | None:
    """The first date after an instant. Raises ``ConditionError`` as `moments`."""
    return next((date for date in trigger.moments(context) if date > after), None)


def decide(
    trigger: ScheduleOnDates, last: datetime, now: datetime, context: Context
) -> ClockDecision:
    """The execution for the next date in (last, now], by the policy for missed ones."""
    try:
        call = due_on_dates(trigger, last, now, context)
    except ConditionError as error:
        return ClockDecision(last, error=str(error))
    if call.fire is None:
        return ClockDecision(call.handled)
    firing = fired(trigger, call.fire, context)
    if call.error is not None:
        firing = failed_firing(firing, f"it can't be told whether {call.fire} counts: {call.error}")
    return ClockDecision(call.handled, call.fire, firing)


def fired(trigger: ScheduleOnDates, date: datetime, context: Context) -> Firing:
    """The execution for one date."""
    variables = {"date": date.isoformat(timespec="milliseconds")}
    key = date.astimezone(UTC).strftime("%Y%m%d-%H%M%S-%f")
    seeing = context.seeing(trigger=variables)
    return rendered_firing(key, variables, trigger.inputs, trigger.labels, seeing, date)


def next_look(trigger: ScheduleOnDates, after: datetime, context: Context) -> datetime | None:
    """The first date after an instant; None where there is none, or where that can't be told."""
    try:
        return next_on_dates(trigger, after, context)
    except ConditionError:
        return None


def plan(trigger: ScheduleOnDates) -> str:
    """The dates as they are written, and their zone; of many the number, and a hash."""
    written = f"{', '.join(trigger.dates)} {trigger.timezone}"
    if len(written) <= _LONGEST_PLAN:
        return written
    return f"{len(trigger.dates)} dates {trigger.timezone} {short_hash(written)}"


TRIGGER = ClockTrigger(
    SCHEDULE_ON_DATES,
    ScheduleOnDates,
    served=True,
    plan=plan,
    decide=decide,
    next_look=next_look,
)
