"""Time zones by Java's names: regions, ``Z``, ``UTC``, ``+02:00``, ``GMT+2``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from penstock.expressions.errors import ExpressionError

_OFFSET = re.compile(r"(?:UTC|GMT|UT)?([-+])(\d{1,2})(?::?(\d{2}))?(?::?(\d{2}))?")
_REGION = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,3}")


@lru_cache(maxsize=500)
def zone(name: str) -> tzinfo:
    """The zone of this name; the data of regions is read when first used."""
    if name in ("Z", "UTC", "GMT", "UT"):
        return UTC
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes, seconds = match.groups()
        total = int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
        if total > 18 * 3600:
            raise ExpressionError(f"bad time zone `{name}`: offsets end at 18 hours")
        return timezone(timedelta(seconds=-total if sign == "-" else total))
    if len(name) < 60 and _REGION.fullmatch(name):
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise ExpressionError(f"unknown time zone `{name[:60]}`")


def offset_text(value: datetime, *, colon: bool, zulu: bool, minutes: bool = True) -> str:
    """The offset: ``+02:00``, ``+0200``, ``+02``, or ``Z`` for zero."""
    seconds = int((value.utcoffset() or timedelta(0)).total_seconds())
    if seconds == 0 and zulu:
        return "Z"
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    hours, rest = seconds // 3600, seconds // 60 % 60
    if not minutes and rest == 0:
        return f"{sign}{hours:02d}"
    return f"{sign}{hours:02d}{':' if colon else ''}{rest:02d}"


def zone_id(value: datetime) -> str:
    """``Europe/Paris``, ``Z`` or an offset."""
    key = getattr(value.tzinfo, "key", None)
    return str(key) if key else offset_text(value, colon=True, zulu=True)
