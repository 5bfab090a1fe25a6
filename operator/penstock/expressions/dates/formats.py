"""The named formats of dates: Kestra's own, and those of Java's ``DateTimeFormatter``."""

from __future__ import annotations

from datetime import UTC, datetime

from penstock.expressions.dates import pattern_writer
from penstock.expressions.dates.exact import ExactDate
from penstock.expressions.dates.names import names
from penstock.expressions.dates.zones import offset_text, zone_id, zone_key

PATTERNS = {
    "iso": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "iso_milli": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "iso_sec": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "sql": "yyyy-MM-dd HH:mm:ss.SSSSSS",
    "sql_milli": "yyyy-MM-dd HH:mm:ss.SSS",
    "sql_sec": "yyyy-MM-dd HH:mm:ss",
    "sql_seq": "yyyy-MM-dd HH:mm:ss",
    "iso_local_date": "yyyy-MM-dd",
    "iso_date": "yyyy-MM-ddXXX",
    "iso_ordinal_date": "yyyy-DDDXXX",
    "full": "EEEE, MMMM d, yyyy 'at' h:mm:ss a zzzz",
    "long": "MMMM d, yyyy 'at' h:mm:ss a z",
    "medium": "MMM d, yyyy, h:mm:ss a",
    "short": "M/d/yy, h:mm a",
}
"""The named formats that a pattern describes; ``sql_seq`` is Kestra's first name of ``sql_sec``."""


def write_moment(value: ExactDate, format: str, locale: str | None) -> str:
    """A date by a named format or a Java pattern."""
    if format in _SPECIAL:
        return _SPECIAL[format](value)
    pattern = PATTERNS.get(format, format)
    return pattern_writer.write(value.date, value.nanos, pattern, names(locale))


def _fraction(value: ExactDate, groups: bool = False) -> str:
    digits = f"{value.date.microsecond:06d}{value.nanos:03d}".rstrip("0")
    if not digits:
        return ""
    return "." + (digits.ljust(-(-len(digits) // 3) * 3, "0") if groups else digits)


def _local_time(value: ExactDate) -> str:
    return value.date.strftime("%H:%M:%S") + _fraction(value)


def _day(value: datetime) -> str:
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"


def _local(value: ExactDate) -> str:
    return f"{_day(value.date)}T{_local_time(value)}"


def _offset(value: ExactDate) -> str:
    return offset_text(value.date, colon=True, zulu=True)


def _zoned(value: ExactDate) -> str:
    key = zone_key(value.date)
    return _local(value) + _offset(value) + (f"[{zone_id(value.date)}]" if key else "")


def _instant(value: ExactDate) -> str:
    utc = value.within(UTC)
    whole = utc.date.strftime("%H:%M:%S")
    return f"{_day(utc.date)}T{whole}{_fraction(utc, groups=True)}Z"


def _week_date(value: ExactDate) -> str:
    year, week, day = value.date.isocalendar()
    return f"{year:04d}-W{week:02d}-{day}{_offset(value)}"


def _rfc_1123(value: ExactDate) -> str:
    text = pattern_writer.write(value.date, 0, "EEE, d MMM yyyy HH:mm:ss Z", names(None))
    return text.removesuffix("+0000") + "GMT" if text.endswith("+0000") else text


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
    "rfc_1123_date_time": _rfc_1123,
}
