"""Questions about a date: week days, working days, hours."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from typing import Any

from penstock.expressions.dates import holidays
from penstock.expressions.dates.moments import to_moment
from penstock.expressions.dates.names import names
from penstock.expressions.dates.zones import zone
from penstock.expressions.errors import ExpressionError
from penstock.expressions.registry import register_function
from penstock.expressions.rendering import Rendering
from penstock.expressions.values import need_text

_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_POSITIONS = {"FIRST": 0, "SECOND": 1, "THIRD": 2, "FOURTH": 3}


def _moment(run: Rendering, date: Any) -> datetime:
    return to_moment(date, zone(run.host.zone), None, names(None))


def _day(name: Any) -> int:
    text = need_text(name, "dayOfWeek").strip().upper()
    if text not in _DAYS:
        raise ExpressionError(f"unknown day `{text[:20]}` (one of {', '.join(_DAYS)})")
    return _DAYS.index(text)


def _names(days: Any) -> list[Any]:
    if days is None or isinstance(days, list | tuple):
        return list(days or ())
    return list(need_text(days, "workingDays").replace(",", " ").split())


@register_function("dayOfWeek")
def day_of_week(run: Rendering, date: Any) -> str:
    """The day of the week, `MONDAY` to `SUNDAY`.

    {{ dayOfWeek(inputs.date) }} → THURSDAY
    """
    return _DAYS[_moment(run, date).weekday()]


@register_function("dayOfMonth")
def day_of_month(run: Rendering, date: Any) -> int:
    """The day of the month, 1 to 31.

    {{ dayOfMonth(inputs.date) }} → 15
    """
    return _moment(run, date).day


@register_function("monthOfYear")
def month_of_year(run: Rendering, date: Any) -> int:
    """The month, 1 to 12.

    {{ monthOfYear(inputs.date) }} → 1
    """
    return _moment(run, date).month


@register_function("hourOfDay")
def hour_of_day(run: Rendering, date: Any) -> int:
    """The hour, 0 to 23, in the date's own zone.

    {{ hourOfDay(inputs.date) }} → 10
    {{ hourOfDay('2026-01-15T10:30:00+05:00') }} → 10
    """
    return _moment(run, date).hour


@register_function("isWeekend")
def is_weekend(run: Rendering, date: Any) -> bool:
    """Whether a date is a Saturday or Sunday.

    {{ isWeekend(inputs.date) }} → false
    {{ isWeekend('2026-01-17') }} → true
    """
    return _moment(run, date).weekday() >= 5


@register_function("isPublicHoliday")
def is_public_holiday(run: Rendering, date: Any, country: Any, sub: Any = None) -> bool:
    """Whether a date is a public holiday of a country (two letters, as in ISO 3166), or of a part
    of it.

    {{ isPublicHoliday('2026-05-17', 'NO') }} → true
    {{ isPublicHoliday('2026-11-01', 'DE') }} → false
    {{ isPublicHoliday('2026-11-01', 'DE', 'BY') }} → true
    """
    moment, part = _moment(run, date), None if sub is None else need_text(sub, "sub")
    began = run.budget.clock()
    holidays.load_calendars()
    run.budget.extend(run.budget.clock() - began)  # the first one to ask does not pay for all
    try:
        return holidays.is_public_holiday(moment.date(), need_text(country, "country"), part)
    except ValueError as error:
        raise ExpressionError(str(error)) from None


@register_function("isDayWeekInMonth")
def is_day_week_in_month(run: Rendering, date: Any, dayOfWeek: Any, position: Any) -> bool:
    """Whether a date is, say, the last Friday of its month. Positions are `FIRST`, `SECOND`,
    `THIRD`, `FOURTH` and `LAST`.

    {{ isDayWeekInMonth(inputs.date, 'THURSDAY', 'THIRD') }} → true
    {{ isDayWeekInMonth(inputs.date, 'THURSDAY', 'LAST') }} → false
    """
    moment, day = _moment(run, date), _day(dayOfWeek)
    where = need_text(position, "position").upper()
    if where != "LAST" and where not in _POSITIONS:
        raise ExpressionError("`position` must be FIRST, SECOND, THIRD, FOURTH or LAST")
    if moment.weekday() != day:
        return False
    if where == "LAST":
        return moment.day + 7 > monthrange(moment.year, moment.month)[1]
    return (moment.day - 1) // 7 == _POSITIONS[where]


@register_function("isLastWorkingDay")
def is_last_working_day(run: Rendering, date: Any, workingDays: Any = None) -> bool:
    """Whether a date is the last working day of its month. Working days are Monday to Friday unless
    others are given.

    {{ isLastWorkingDay('2026-01-30') }} → true
    {{ isLastWorkingDay('2026-01-30', 'SATURDAY,SUNDAY') }} → false
    """
    moment = _moment(run, date)
    working = {_day(name) for name in _names(workingDays)} or {0, 1, 2, 3, 4}
    last = moment.replace(day=monthrange(moment.year, moment.month)[1])
    while last.weekday() not in working:
        last -= timedelta(days=1)
    return moment.date() == last.date()
