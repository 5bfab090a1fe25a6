"""Java's ``ChronoUnit``: add an amount of time to a date."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta

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


def add(value: datetime, amount: int, unit: str) -> datetime:
    """Hours and less move the instant; days and more move the date and keep the local time."""
    try:
        if unit == "NANOS":
            return _later(value, timedelta(microseconds=amount // 1000))
        if unit in _EXACT:
            return _later(value, _EXACT[unit] * amount)
        if unit in _DAYS:
            return value + timedelta(days=_DAYS[unit] * amount)
        if unit in _MONTHS:
            return _months(value, _MONTHS[unit] * amount)
    except (OverflowError, ValueError):
        raise ExpressionError(f"adding {amount} {unit} leaves the years 1 to 9999") from None
    known = ", ".join(("NANOS", *_EXACT, *_DAYS, *_MONTHS))
    raise ExpressionError(f"unknown unit `{unit[:30]}` (one of {known})")


def _later(value: datetime, by: timedelta) -> datetime:
    return (value.astimezone(UTC) + by).astimezone(value.tzinfo)


def _months(value: datetime, count: int) -> datetime:
    year, month = divmod(value.year * 12 + value.month - 1 + count, 12)
    return value.replace(
        year=year, month=month + 1, day=min(value.day, monthrange(year, month + 1)[1])
    )
