"""Conditions on a date, by default the due time."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, time, timedelta, timezone
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from penstock.expressions import ExpressionError
from penstock.triggers.conditions.model import Condition
from penstock.triggers.evaluation import ConditionError, Context
from penstock.triggers.times import Moment, TimeOfDay, read_moment

_DUE_TIME = "{{ trigger.date }}"
_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")

Day = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


class DateCondition(Condition):
    """A condition on a date."""

    for_schedules: ClassVar[bool] = True

    date: str = _DUE_TIME
    """The date, as an expression."""

    def by_day(self) -> bool:
        return self.date == _DUE_TIME

    def settled(self) -> bool:
        return self.date == _DUE_TIME

    def moment(self, context: Context) -> datetime:
        """The date in question. The due time itself needs no rendering."""
        if self.date == _DUE_TIME and context.date is not None:
            return context.date
        value = context.value(self.date)
        try:
            return read_moment(value)
        except ExpressionError as error:
            raise ConditionError(f"`date` of the condition {self.name}: {error}") from None


class _Between(DateCondition):
    """Strictly between two bounds, of which at least one is given."""

    def by_day(self) -> bool:
        return False

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if getattr(self, "after", None) is None and getattr(self, "before", None) is None:
            raise ValueError("`after` or `before` must be given")
        return self


class DateTimeBetween(_Between):
    """The date lies after and before two instants."""

    name: ClassVar[str] = "DateTimeBetween"

    after: Moment | None = None
    before: Moment | None = None

    def holds(self, context: Context) -> bool:
        moment = self.moment(context)
        return (self.after is None or moment > self.after) and (
            self.before is None or moment < self.before
        )


class TimeBetween(_Between):
    """The time of day lies after and before two others."""

    name: ClassVar[str] = "TimeBetween"

    after: TimeOfDay | None = None
    """The time with an offset; one without is in the date's own zone."""
    before: TimeOfDay | None = None

    def holds(self, context: Context) -> bool:
        moment = self.moment(context)
        offset = timezone(moment.utcoffset() or timedelta())
        now = moment.astimezone(offset).timetz()
        return (self.after is None or now > _with_offset(self.after, offset)) and (
            self.before is None or now < _with_offset(self.before, offset)
        )


def _with_offset(bound: time, offset: timezone) -> time:
    return bound if bound.tzinfo else bound.replace(tzinfo=offset)


class DayWeek(DateCondition):
    """The date is such a day of the week."""

    name: ClassVar[str] = "DayWeek"

    day_of_week: Day

    def holds(self, context: Context) -> bool:
        return _DAYS[self.moment(context).weekday()] == self.day_of_week


class DayWeekInMonth(DateCondition):
    """The date is, say, the first Monday of its month."""

    name: ClassVar[str] = "DayWeekInMonth"

    day_of_week: Day
    day_in_month: Literal["FIRST", "SECOND", "THIRD", "FOURTH", "LAST"]

    def holds(self, context: Context) -> bool:
        moment = self.moment(context)
        if _DAYS[moment.weekday()] != self.day_of_week:
            return False
        if self.day_in_month == "LAST":
            return moment.day + 7 > monthrange(moment.year, moment.month)[1]
        number = ("FIRST", "SECOND", "THIRD", "FOURTH").index(self.day_in_month)
        return (moment.day - 1) // 7 == number


class Weekend(DateCondition):
    """The date is a Saturday or a Sunday."""

    name: ClassVar[str] = "Weekend"

    def holds(self, context: Context) -> bool:
        return self.moment(context).weekday() >= 5
