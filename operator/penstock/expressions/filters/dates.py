"""Filters on dates. Argument names are Kestra's."""

from __future__ import annotations

from typing import Any

from penstock.expressions.dates import units
from penstock.expressions.dates.exact import ExactDate
from penstock.expressions.dates.formats import write_moment
from penstock.expressions.dates.moments import to_exact
from penstock.expressions.dates.names import names
from penstock.expressions.dates.zones import zone
from penstock.expressions.registry import register_filter
from penstock.expressions.rendering import Rendering
from penstock.expressions.values import need_integer, need_text


def _moment(
    run: Rendering, value: Any, time_zone: Any, existing: Any = None, locale: Any = None
) -> ExactDate:
    into = zone(run.host.zone if time_zone is None else need_text(time_zone, "timeZone"))
    pattern = None if existing is None else need_text(existing, "existingFormat")
    return to_exact(value, into, pattern, names(locale))


def formatted(run: Rendering, value: ExactDate, format: Any, time_zone: Any, locale: Any) -> str:
    """A date in a zone, by a format."""
    into = zone(run.host.zone if time_zone is None else need_text(time_zone, "timeZone"))
    pattern = "iso" if format is None else need_text(format, "format")
    return write_moment(value.within(into), pattern, locale)


@register_filter("date")
def date(
    run: Rendering,
    value: Any,
    format: Any = "iso",
    timeZone: Any = None,
    existingFormat: Any = None,
    locale: Any = None,
) -> str:
    """Write a date in a format and zone. A number is in seconds, milliseconds, microseconds or
    nanoseconds since 1970, by its size. A format is a pattern of Java's, or a name such as `iso`,
    `iso_milli`, `iso_sec`, `iso_date`, `sql`, `sql_milli`, `sql_sec` or `rfc_1123_date_time`.

    {{ inputs.date | date('yyyy-MM-dd') }} → 2026-01-15
    {{ inputs.date | date('HH:mm', timeZone='Europe/Oslo') }} → 11:30
    {{ 1768473000123 | date('iso_milli', timeZone='+01:00') }} → 2026-01-15T11:30:00.123+01:00
    {{ 'July 24, 2001' | date('iso_local_date', existingFormat='MMMM dd, yyyy', timeZone='UTC') }}
    → 2001-07-24
    """
    moment = _moment(run, value, timeZone, existingFormat, locale)
    return formatted(run, moment, format, timeZone, locale)


@register_filter("dateAdd")
def date_add(
    run: Rendering,
    value: Any,
    amount: Any,
    unit: Any,
    format: Any = "iso",
    timeZone: Any = None,
    existingFormat: Any = None,
    locale: Any = None,
) -> str:
    """Add an amount of time, in the zone in which the date was written, and write the date as
    `date` does. Units are `SECONDS`, `MINUTES`, `HOURS`, `DAYS`, `WEEKS`, `MONTHS`, `YEARS` and the
    others of Java's `ChronoUnit`.

    {{ inputs.date | dateAdd(-1, 'DAYS') }} → 2026-01-14T10:30:00.000000Z
    {{ inputs.date | dateAdd(2, 'HOURS', 'HH:mm') }} → 12:30
    """
    moment = _moment(run, value, timeZone, existingFormat, locale)
    count = need_integer(amount, "amount")
    moved = units.add(moment, count, need_text(unit, "unit").upper())
    return formatted(run, moved, format, timeZone, locale)


@register_filter("timestamp")
def timestamp(run: Rendering, value: Any, timeZone: Any = None, existingFormat: Any = None) -> int:
    """The date as seconds since 1970.

    {{ inputs.date | timestamp }} → 1768473000
    """
    return _moment(run, value, timeZone, existingFormat).epoch_nanos // 10**9


@register_filter("timestampMilli")
def timestamp_milli(
    run: Rendering, value: Any, timeZone: Any = None, existingFormat: Any = None
) -> int:
    """The date as milliseconds since 1970.

    {{ inputs.date | timestampMilli }} → 1768473000000
    """
    return _moment(run, value, timeZone, existingFormat).epoch_nanos // 10**6


@register_filter("timestampMicro")
def timestamp_micro(
    run: Rendering, value: Any, timeZone: Any = None, existingFormat: Any = None
) -> int:
    """The date as microseconds since 1970.

    {{ inputs.date | timestampMicro }} → 1768473000000000
    """
    return _moment(run, value, timeZone, existingFormat).epoch_nanos // 10**3


@register_filter("timestampNano")
def timestamp_nano(
    run: Rendering, value: Any, timeZone: Any = None, existingFormat: Any = None
) -> int:
    """The date as nanoseconds since 1970.

    {{ inputs.date | timestampNano }} → 1768473000000000000
    """
    return _moment(run, value, timeZone, existingFormat).epoch_nanos
