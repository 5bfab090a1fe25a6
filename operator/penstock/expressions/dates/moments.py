"""Values to dates and back: what the filters and functions on dates share."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from penstock.expressions.dates import java_patterns
from penstock.expressions.dates.names import Names, names
from penstock.expressions.dates.zones import offset_text, zone, zone_id
from penstock.expressions.errors import ExpressionError, shorten
from penstock.expressions.truth import kind

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"([Zz]|[-+]\d\d(?::?\d\d(?::\d\d)?)?)?(?:\[([^\]]{1,60})\])?)?"
)
_PATTERNS = {
    "iso": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "iso_sec": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "sql": "yyyy-MM-dd HH:mm:ss.SSSSSS",
    "sql_seq": "yyyy-MM-dd HH:mm:ss",
    "iso_local_date": "yyyy-MM-dd",
    "iso_date": "yyyy-MM-ddXXX",
    "iso_ordinal_date": "yyyy-DDDXXX",
    "rfc_1123_date_time": "EEE, d MMM yyyy HH:mm:ss Z",
    "full": "EEEE, MMMM d, yyyy 'at' h:mm:ss a zzzz",
    "long": "MMMM d, yyyy 'at' h:mm:ss a z",
    "medium": "MMM d, yyyy, h:mm:ss a",
    "short": "M/d/yy, h:mm a",
}
_ISO_NAMES = frozenset(
    [
        "iso_date_time",
        "iso_date",
        "iso_local_date",
        "iso_instant",
        "iso_local_date_time",
        "iso_zoned_date_time",
        "iso_offset_date_time",
    ]
)


def to_moment(value: Any, default_zone: tzinfo, existing: str | None, locale: Names) -> datetime:
    """A value as an aware date-time: dates, epoch seconds, or text."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=default_zone)
    if isinstance(value, date):
        return datetime.combine(value, time(12), default_zone)
    if isinstance(value, int) and not isinstance(value, bool):
        return from_epoch(value, default_zone)
    if not isinstance(value, str):
        raise ExpressionError(f"needs a date, not {kind(value)}")
    if existing is None or existing in _ISO_NAMES:
        return _read_iso(value, default_zone)
    return _read(value, _PATTERNS.get(existing, existing), default_zone, locale, existing)


def from_epoch(seconds: int, into: tzinfo) -> datetime:
    """Seconds since 1970."""
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone(into)
    except (OverflowError, ValueError, OSError):
        raise ExpressionError(
            f"{seconds} is no date: a number is read as seconds since 1970"
        ) from None


def _read_iso(text: str, default_zone: tzinfo) -> datetime:
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise ExpressionError(
            f"the text `{shorten(text, 60)}` is no date; give its pattern as `existingFormat`"
        )
    year, month, day, hour, minute, second, fraction, offset, region = match.groups()
    numbers = [int(part or 0) for part in (year, month, day, hour, minute, second)]
    micros = int((fraction or "0").ljust(6, "0")[:6])
    into = zone(region) if region else zone(offset.upper()) if offset else default_zone
    result = _made(text, [*numbers, micros], into)
    if region and offset:
        exact = result.replace(tzinfo=zone(offset.upper()))
        result = result if exact == result else exact.astimezone(into)
    return result


def _made(text: str, numbers: list[int], into: tzinfo) -> datetime:
    """The date of these numbers: year to microsecond."""
    year, month, day, hour, minute, second, micros = numbers
    try:
        return datetime(year, month, day, hour, minute, second, micros, into)
    except (ValueError, OverflowError) as error:
        raise ExpressionError(f"the text `{shorten(text, 60)}` is no date: {error}") from None


def _read(text: str, pattern: str, default_zone: tzinfo, locale: Names, shown: str) -> datetime:
    fields = java_patterns.read(text, pattern, locale)
    numbers = fields.numbers if fields else {}
    if fields is None or not ("y" in numbers or "Y" in numbers):
        raise ExpressionError(f"the text `{shorten(text, 60)}` is no date of the format `{shown}`")
    hour = numbers.get("H", numbers.get("k", 0) % 24)
    if "h" in numbers or "K" in numbers:
        hour = numbers.get("h", numbers.get("K", 0)) % 12 + (12 if fields.afternoon else 0)
    into = zone(fields.zone) if fields.zone else default_zone
    date_part = [numbers.get("y", numbers.get("Y", 1)), numbers.get("M", 1), numbers.get("d", 1)]
    time_part = [hour, numbers.get("m", 0), numbers.get("s", 0), numbers.get("micros", 0)]
    result = _made(text, date_part + time_part, into)
    if "D" in numbers:
        result = result.replace(month=1, day=1) + timedelta(days=min(numbers["D"], 366) - 1)
    return result


def write_moment(value: datetime, format: str, locale: str | None) -> str:
    """A date by a named format or a Java pattern."""
    table = names(locale)
    if format in _PATTERNS:
        return java_patterns.write(value, _PATTERNS[format], table)
    if format in _SPECIAL:
        return _SPECIAL[format](value)
    return java_patterns.write(value, format, table)


def _fraction(value: datetime, groups: bool = False) -> str:
    if not value.microsecond:
        return ""
    digits = f"{value.microsecond:06d}"
    if groups:
        return "." + (digits[:3] if digits.endswith("000") else digits)
    return "." + digits.rstrip("0")


def _local_time(value: datetime) -> str:
    return value.strftime("%H:%M:%S") + _fraction(value)


def _local(value: datetime) -> str:
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}T{_local_time(value)}"


def _offset(value: datetime) -> str:
    return offset_text(value, colon=True, zulu=True)


def _zoned(value: datetime) -> str:
    key = getattr(value.tzinfo, "key", None)
    return _local(value) + _offset(value) + (f"[{zone_id(value)}]" if key else "")


def _instant(value: datetime) -> str:
    utc = value.astimezone(UTC)
    return f"{_local(utc.replace(microsecond=0))}{_fraction(utc, groups=True)}Z"


def _week_date(value: datetime) -> str:
    year, week, day = value.isocalendar()
    return f"{year:04d}-W{week:02d}-{day}{_offset(value)}"


_SPECIAL = {
    "iso_date_time": _zoned,
    "iso_zoned_date_time": _zoned,
    "iso_offset_date_time": lambda value: _local(value) + _offset(value),
    "iso_local_date_time": _local,
    "iso_time": lambda value: _local_time(value) + _offset(value),
    "iso_offset_time": lambda value: _local_time(value) + _offset(value),
    "iso_local_time": _local_time,
    "iso_instant": _instant,
    "iso_week_date": _week_date,
}
