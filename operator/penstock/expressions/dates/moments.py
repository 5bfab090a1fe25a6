"""How values become dates, for all filters and functions on dates."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from penstock.expressions.dates import pattern_reader
from penstock.expressions.dates.exact import EPOCH, ExactDate
from penstock.expressions.dates.formats import PATTERNS
from penstock.expressions.dates.names import ISO_WEEKS, Names
from penstock.expressions.dates.zones import zone
from penstock.expressions.errors import ExpressionError, shorten
from penstock.expressions.truth import kind

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"([Zz]|[-+]\d\d(?::?\d\d(?::\d\d)?)?)?(?:\[([^\]]{1,60})\])?)?"
)
_ISO_NAMES = frozenset(
    [
        "iso_date_time",
        "iso_local_date",
        "iso_instant",
        "iso_local_date_time",
        "iso_zoned_date_time",
        "iso_offset_date_time",
    ]
)
_READ_PATTERNS = {
    **PATTERNS,
    "iso_date": "yyyy-MM-dd[XXX]",
    "iso_ordinal_date": "yyyy-DDD[XXX]",
    "rfc_1123_date_time": "[EEE, ]d MMM yyyy HH:mm[:ss] Z",
}
_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
"""Below which size a number has which unit, in nanoseconds; the largest are nanoseconds."""


def to_exact(value: Any, default_zone: tzinfo, existing: str | None, locale: Names) -> ExactDate:
    """A value as an aware date: dates, numbers since 1970, or text. Raises ``ExpressionError``."""
    if isinstance(value, datetime):
        return ExactDate(value if value.tzinfo else local_date(value, default_zone))
    if isinstance(value, date):
        return ExactDate(datetime.combine(value, time(12), default_zone))
    if isinstance(value, int) and not isinstance(value, bool):
        return from_epoch(value, default_zone)
    if not isinstance(value, str):
        raise ExpressionError(f"needs a date, not {kind(value)}")
    if existing is None or existing in _ISO_NAMES:
        return _read_iso(value, default_zone)
    if existing == "iso_week_date":
        return _read_week_date(value, default_zone)
    return _read(value, _READ_PATTERNS.get(existing, existing), default_zone, locale, existing)


def to_moment(value: Any, default_zone: tzinfo, existing: str | None, locale: Names) -> datetime:
    """A value as an aware date, cut to the microsecond; see `to_exact`."""
    return to_exact(value, default_zone, existing, locale).date


def from_epoch(number: int, into: tzinfo) -> ExactDate:
    """The date of a number of seconds, milliseconds, microseconds or nanoseconds since 1970.

    The unit follows from its size: seconds are read up to the year 5138, so milliseconds from 1973
    on.
    """
    unit = next((unit for below, unit in _UNITS if abs(number) < below), 1)
    micros, nanos = divmod(number * unit, 1000)
    try:
        return ExactDate((EPOCH + timedelta(microseconds=micros)).astimezone(into), nanos)
    except (OverflowError, ValueError, OSError):
        raise ExpressionError(
            f"{shorten(str(number), 40)} is no date: a number is read as seconds, milliseconds, "
            "microseconds or nanoseconds since 1970, by its size"
        ) from None


def local_date(value: datetime, into: tzinfo) -> datetime:
    """A date without zone, in a zone. A time that the clock skips there comes after the gap."""
    try:
        return value.replace(tzinfo=into).astimezone(UTC).astimezone(into)
    except (OverflowError, ValueError):
        return value.replace(tzinfo=into)


def _read_iso(text: str, default_zone: tzinfo) -> ExactDate:
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise ExpressionError(
            f"the text `{shorten(text, 60)}` is no date; give its pattern as `existingFormat`"
        )
    year, month, day, hour, minute, second, fraction, offset, region = match.groups()
    micros, nanos = divmod(int((fraction or "0").ljust(9, "0")), 1000)
    into = zone(region) if region else zone(offset.upper()) if offset else default_zone
    try:
        clock = time(int(hour or 0), int(minute or 0), int(second or 0), micros)
        read = datetime.combine(date(int(year), int(month), int(day)), clock)
    except ValueError as error:
        raise ExpressionError(f"the text `{shorten(text, 60)}` is no date: {error}") from None
    result = local_date(read, into)
    if region and offset:
        exact = read.replace(tzinfo=zone(offset.upper()))
        result = result if exact == result else exact.astimezone(into)
    return ExactDate(result, nanos)


def _read_week_date(text: str, default_zone: tzinfo) -> ExactDate:
    """The date of a week date such as ``2026-W01-4``, with or without an offset."""
    return _read(text, "YYYY-'W'ww-e[XXX]", default_zone, ISO_WEEKS, "iso_week_date")


def _read(text: str, pattern: str, default_zone: tzinfo, locale: Names, shown: str) -> ExactDate:
    try:
        found = pattern_reader.read(text, pattern, locale)
    except pattern_reader.UnreadableDate as error:
        raise ExpressionError(
            f"the text `{shorten(text, 60)}` is no date of the format `{shown}`: {error}"
        ) from None
    micros, nanos = divmod(found.nanos, 1000)
    read = datetime.combine(found.day, time()) + timedelta(microseconds=micros)
    into = zone(found.zone) if found.zone else default_zone
    return ExactDate(local_date(read, into), nanos)
