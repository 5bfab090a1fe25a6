"""Time zones by Java's names: regions, ``Z``, ``UTC``, ``+02:00``, ``GMT+2``."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache

from penstock.expressions.errors import ExpressionError

_OFFSET = re.compile(r"([-+])(\d{1,2}|\d\d:?[0-5]\d|\d\d:[0-5]\d:[0-5]\d|\d\d[0-5]\d[0-5]\d)")
_PREFIXED = re.compile(r"(UTC|GMT|UT)(?:([-+].*))?")
_REGION = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,3}")
_NO_REGION = re.compile(r"posix/.*|right/.*|posixrules|localtime|Factory")
"""What lies among the data of regions and is none, or counts leap seconds."""


class NamedOffset(tzinfo):
    """A zone of one offset that has a name, such as ``UTC`` or ``GMT+02:00``."""

    def __init__(self, key: str, offset: timedelta) -> None:
        self.key = key
        self._offset = offset

    def utcoffset(self, date: datetime | None) -> timedelta:
        return self._offset

    def dst(self, date: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, date: datetime | None) -> str:
        return self.key

    def __repr__(self) -> str:
        return f"NamedOffset({self.key!r})"


@lru_cache(maxsize=500)
def zone(name: str) -> tzinfo:
    """The zone that Java's ``ZoneId.of`` finds under this name. Raises ``ExpressionError``.

    The data of regions is read when first used.
    """
    if name == "Z":
        return UTC
    if name[:1] in ("+", "-"):
        return timezone(_offset(name, name))
    if prefixed := _PREFIXED.fullmatch(name):
        return _prefixed(name, *prefixed.groups())
    if len(name) < 60 and _REGION.fullmatch(name) and not _NO_REGION.fullmatch(name):
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise ExpressionError(
        f"unknown time zone `{name[:60]}`{_near(name)}; write a region such as Europe/Paris, or "
        "an offset such as +02:00 or GMT+2"
    )


def _prefixed(name: str, prefix: str, offset: str | None) -> tzinfo:
    """The zone of ``UTC`` or ``GMT+2``, in whose name Java keeps the prefix."""
    if offset is None:
        return NamedOffset(prefix, timedelta(0))
    by = _offset(offset, name)
    shown = offset_text(datetime(2000, 1, 1, tzinfo=timezone(by)), colon=True, zulu=False)
    return NamedOffset(prefix if not by else prefix + shown, by)


def _offset(text: str, name: str) -> timedelta:
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise ExpressionError(f"bad time zone `{name[:60]}`: write an offset as +2, +02 or +02:00")
    digits = match.group(2).replace(":", "")
    digits = digits.zfill(2).ljust(6, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])
    if seconds > 18 * 3600:
        raise ExpressionError(f"bad time zone `{name[:60]}`: offsets end at 18 hours")
    return timedelta(seconds=-seconds if match.group(1) == "-" else seconds)


def _near(name: str) -> str:
    by_lower = {region.lower(): region for region in _regions()}
    near = difflib.get_close_matches(name[:60].lower(), by_lower, n=1, cutoff=0.8)
    return f" (did you mean {by_lower[near[0]]}?)" if near else ""


@cache
def _regions() -> tuple[str, ...]:
    from zoneinfo import available_timezones

    return tuple(sorted(available_timezones()))


def offset_text(value: datetime, *, colon: bool, zulu: bool, minutes: bool = True) -> str:
    """A date's offset as text: ``+02:00``, ``+0200``, ``+02``, or ``Z`` for zero."""
    seconds = int((value.utcoffset() or timedelta(0)).total_seconds())
    if seconds == 0 and zulu:
        return "Z"
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    hours, rest = seconds // 3600, seconds // 60 % 60
    if not minutes and rest == 0:
        return f"{sign}{hours:02d}"
    mark = ":" if colon else ""
    return f"{sign}{hours:02d}{mark}{rest:02d}"


def zone_id(value: datetime) -> str:
    """The id of a date's zone: ``Europe/Paris``, ``GMT+02:00``, ``Z`` or an offset."""
    key = zone_key(value)
    if key is not None:
        return key
    seconds = int((value.utcoffset() or timedelta(0)).total_seconds()) % 60
    shown = offset_text(value, colon=True, zulu=True)
    return f"{shown}:{seconds:02d}" if seconds else shown


def zone_key(value: datetime) -> str | None:
    """The name of a date's zone; None where it has an offset alone."""
    key = getattr(value.tzinfo, "key", None)
    return None if key is None else str(key)
