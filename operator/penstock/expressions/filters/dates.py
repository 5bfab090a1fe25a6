"""Filters on dates. Argument names are Kestra's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.expressions.dates import units
from penstock.expressions.dates.moments import to_moment, write_moment
from penstock.expressions.dates.names import names
from penstock.expressions.dates.zones import zone
from penstock.expressions.registry import register_filter
from penstock.expressions.run import Run
from penstock.expressions.values import need_integer, need_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(
    run: Run, value: Any, time_zone: Any, existing: Any = None, locale: Any = None
) -> datetime:
    into = zone(run.host.zone if time_zone is None else need_text(time_zone, "timeZone"))
    pattern = None if existing is None else need_text(existing, "existingFormat")
    return to_moment(value, into, pattern, names(locale))


def formatted(run: Run, value: datetime, format: Any, time_zone: Any, locale: Any) -> str:
    """A date in a zone, by a format."""
    into = zone(run.host.zone if time_zone is None else need_text(time_zone, "timeZone"))
    pattern = "iso" if format is None else need_text(format, "format")
    return write_moment(value.astimezone(into), pattern, locale)


@register_filter("date")
def date(
    run: Run,
    value: Any,
    format: Any = "iso",
    timeZone: Any = None,
    existingFormat: Any = None,
    locale: Any = None,
) -> str:
    """Write a date in a format and zone."""
    moment = _moment(run, value, timeZone, existingFormat, locale)
    return formatted(run, moment, format, timeZone, locale)


@register_filter("dateAdd")
def date_add(
    run: Run,
    value: Any,
    amount: Any,
    unit: Any,
    format: Any = "iso",
    timeZone: Any = None,
    existingFormat: Any = None,
    locale: Any = None,
) -> str:
    """Add an amount of time, in the zone the date was written in; then as ``date``."""
    moment = _moment(run, value, timeZone, existingFormat, locale)
    count = need_integer(amount, "amount")
    moved = units.add(moment, count, need_text(unit, "unit").upper())
    return formatted(run, moved, format, timeZone, locale)


def _micros(run: Run, value: Any, time_zone: Any, existing: Any) -> int:
    moment = _moment(run, value, time_zone, existing)
    return (moment - _EPOCH) // timedelta(microseconds=1)


@register_filter("timestamp")
def timestamp(run: Run, value: Any, timeZone: Any = None, existingFormat: Any = None) -> int:
    """Seconds since 1970."""
    return _micros(run, value, timeZone, existingFormat) // 1_000_000


@register_filter("timestampMilli")
def timestamp_milli(run: Run, value: Any, timeZone: Any = None, existingFormat: Any = None) -> int:
    """Milliseconds since 1970."""
    return _micros(run, value, timeZone, existingFormat) // 1_000


@register_filter("timestampMicro")
def timestamp_micro(run: Run, value: Any, timeZone: Any = None, existingFormat: Any = None) -> int:
    """Kestra's own number: seconds times 10⁹ plus the microseconds."""
    seconds, micros = divmod(_micros(run, value, timeZone, existingFormat), 1_000_000)
    return seconds * 1_000_000_000 + micros


@register_filter("timestampNano")
def timestamp_nano(run: Run, value: Any, timeZone: Any = None, existingFormat: Any = None) -> int:
    """Nanoseconds since 1970; dates here have microseconds, so the last digits are 0."""
    return _micros(run, value, timeZone, existingFormat) * 1_000
