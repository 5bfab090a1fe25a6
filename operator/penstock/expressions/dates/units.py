"""Java's ``ChronoUnit``: add an amount of time to a date."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta

from penstock.expressions.dates.exact import ExactDate
from penstock.expressions.errors import ExpressionError

_EXACT = {
    "MICROS": timedelta(microseconds=1),
    "MILLIS": timedelta(milliseconds=1),
    "SECONDS": timedelta(seconds=1),
    "MINUTES": timedelta(minutes=1),
    "HOURS": timedelta(hours=1),
    "HALF_DAYS": timedelta(hours=12),
}
_DAYS = {"DAYS": 1, "WEEKS": 7}
_MONTHS = {"MONTHS": 1, "YEARS": 12, "DECADES": 120, "CENTURIES": 1200, "MILLENNIA": 12000}


def add(value: ExactDate, amount: int, unit: str) -> ExactDate:
    """The date some units later. Hours and less move the instant; days and more move the date and
    keep the local time."""
    try:
        if unit == "NANOS":
            micros, nanos = divmod(value.nanos + amount, 1000)
            return ExactDate(_later(value.date, timedelta(microseconds=micros)), nanos)
        if unit in _EXACT:
            return ExactDate(_later(value.date, _EXACT[unit] * amount), value.nanos)
        if unit in _DAYS:
            moved = value.date.replace(tzinfo=None) + timedelta(days=_DAYS[unit] * amount)
            return ExactDate(_in_zone_of(value.date, moved), value.nanos)
        if unit in _MONTHS:
            moved = _months(value.date.replace(tzinfo=None), _MONTHS[unit] * amount)
            return ExactDate(_in_zone_of(value.date, moved), value.nanos)
    except (OverflowError, ValueError):
        raise ExpressionError(f"adding {amount} {unit} leaves the years 1 to 9999") from None
    known = ("NANOS", *_EXACT, *_DAYS, *_MONTHS)
    near = f"; did you mean `{unit}S`?" if f"{unit}S" in known else ""
    raise ExpressionError(f"unknown unit `{unit[:30]}` (one of {', '.join(known)}){near}")


def _later(value: datetime, by: timedelta) -> datetime:
    return (value.astimezone(UTC) + by).astimezone(value.tzinfo)


def _months(value: datetime, count: int) -> datetime:
    """The date some months later: the day stays, or becomes the last one of a shorter month."""
    year, month = divmod(value.year * 12 + value.month - 1 + count, 12)
    return value.replace(
        year=year, month=month + 1, day=min(value.day, monthrange(year, month + 1)[1])
    )


def _in_zone_of(before: datetime, moved: datetime) -> datetime:
    """A local time in the zone of another, whose offset it keeps where the clock shows it twice."""
    for fold in (0, 1):
        candidate = moved.replace(tzinfo=before.tzinfo, fold=fold)
        if candidate.utcoffset() == before.utcoffset():
            break
    else:
        candidate = candidate.replace(fold=0)
    return candidate.astimezone(UTC).astimezone(before.tzinfo)
