"""Writes a date by one of Java's patterns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from penstock.expressions.dates.java_patterns import parts_of
from penstock.expressions.dates.names import Names
from penstock.expressions.dates.zones import offset_text, zone_id, zone_key


def write(value: datetime, nanos: int, pattern: str, names: Names) -> str:
    """The date by a pattern. ``nanos``: the nanoseconds below its microsecond."""
    texts: list[str] = []
    for part in parts_of(pattern):
        if not part.letter:
            texts.append(part.text)
        elif part.letter in _NANO_WRITERS:
            texts.append(_NANO_WRITERS[part.letter](value, nanos, part.width))
        elif part.letter not in "[]":  # brackets mean something only when reading
            texts.append(_WRITERS[part.letter](value, part.width, names))
    return "".join(texts)


def _year(value: datetime, width: int, names: Names) -> str:
    return f"{value.year % 100:02d}" if width == 2 else str(value.year).zfill(width)


def _month(value: datetime, width: int, names: Names) -> str:
    return _named(value.month - 1, width, names.months, names.short_months, value.month)


def _named(
    index: int, width: int, full: tuple[str, ...], short: tuple[str, ...], number: int
) -> str:
    if width <= 2:
        return str(number).zfill(width)
    if width == 3:
        return short[index]
    return full[index] if width == 4 else full[index][:1].upper()


def _weekday(value: datetime, width: int, names: Names) -> str:
    return _named(value.weekday(), max(width, 3), names.days, names.short_days, 0)


def _local_weekday(value: datetime, width: int, names: Names) -> str:
    number = value.isoweekday() % 7 + 1 if names.sunday_first else value.isoweekday()
    return _named(value.weekday(), width, names.days, names.short_days, number)


def _quarter(value: datetime, width: int, names: Names) -> str:
    number = (value.month - 1) // 3 + 1
    full = ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter")
    return _named(number - 1, width, full, ("Q1", "Q2", "Q3", "Q4"), number)


def week_of_year(value: datetime, names: Names) -> tuple[int, int]:
    """The year and number of the week, by the locale's rule."""
    if not names.sunday_first:
        year, week, _ = value.isocalendar()
        return year, week
    saturday = value + timedelta(days=6 - value.isoweekday() % 7)
    return saturday.year, (saturday.timetuple().tm_yday - 1) // 7 + 1


def _week_year(value: datetime, width: int, names: Names) -> str:
    year = week_of_year(value, names)[0]
    return f"{year % 100:02d}" if width == 2 else str(year).zfill(width)


def _week_of_month(value: datetime, width: int, names: Names) -> str:
    first = value.replace(day=1)
    shift = first.isoweekday() % 7 if names.sunday_first else first.weekday()
    week = (value.day + shift - 1) // 7 + 1
    if not names.sunday_first and shift > 3:
        week -= 1
    return str(week).zfill(width)


def _offset_x(value: datetime, width: int, zulu: bool) -> str:
    return offset_text(value, colon=width in (3, 5), zulu=zulu, minutes=width > 1)


def _offset_z(value: datetime, width: int, names: Names) -> str:
    if width == 4:
        return _gmt(value, 4, names)
    return offset_text(value, colon=width == 5, zulu=width == 5)


def _gmt(value: datetime, width: int, names: Names) -> str:
    text = offset_text(value, colon=True, zulu=True)
    if text == "Z":
        return "GMT"
    if width == 4:
        return f"GMT{text}"
    return f"GMT{text[0]}{text[1:3].lstrip('0') or '0'}{'' if text.endswith('00') else text[3:]}"


def _zone_name(value: datetime, width: int, names: Names) -> str:
    if zone_key(value) is None:
        return zone_id(value)
    name = value.tzname() or "UTC"
    return _LONG_ZONES.get(name, name) if width == 4 else name


_LONG_ZONES = {"UTC": "Coordinated Universal Time", "GMT": "Greenwich Mean Time"}
"""The long names of zones; other zones have only short names here."""


def _midnight(value: datetime) -> timedelta:
    return timedelta(
        hours=value.hour,
        minutes=value.minute,
        seconds=value.second,
        microseconds=value.microsecond,
    )


def _padded(get: Callable[[datetime], int]) -> Callable[[datetime, int, Names], str]:
    return lambda value, width, names: str(get(value)).zfill(width)


def _nano_of_day(value: datetime, nanos: int) -> int:
    return _midnight(value) // timedelta(microseconds=1) * 1000 + nanos


_NANO_WRITERS: dict[str, Callable[[datetime, int, int], str]] = {
    "S": lambda value, nanos, width: f"{value.microsecond:06d}{nanos:03d}"[:width],
    "n": lambda value, nanos, width: str(value.microsecond * 1000 + nanos).zfill(width),
    "N": lambda value, nanos, width: str(_nano_of_day(value, nanos)).zfill(width),
}
_WRITERS: dict[str, Callable[[datetime, int, Names], str]] = {
    "G": lambda value, width, names: {4: "Anno Domini", 5: "A"}.get(width, "AD"),
    "y": _year, "u": _year, "Y": _week_year,
    "M": _month, "L": _month,
    "d": _padded(lambda value: value.day),
    "D": _padded(lambda value: value.timetuple().tm_yday),
    "H": _padded(lambda value: value.hour),
    "k": _padded(lambda value: value.hour or 24),
    "K": _padded(lambda value: value.hour % 12),
    "h": _padded(lambda value: value.hour % 12 or 12),
    "m": _padded(lambda value: value.minute),
    "s": _padded(lambda value: value.second),
    "A": _padded(lambda value: _midnight(value) // timedelta(milliseconds=1)),
    "a": lambda value, width, names: "AM" if value.hour < 12 else "PM",
    "E": _weekday, "e": _local_weekday, "c": _local_weekday,
    "Q": _quarter, "q": _quarter,
    "w": lambda value, width, names: str(week_of_year(value, names)[1]).zfill(width),
    "W": _week_of_month,
    "F": _padded(lambda value: (value.day - 1) // 7 + 1),
    "X": lambda value, width, names: _offset_x(value, width, True),
    "x": lambda value, width, names: _offset_x(value, width, False),
    "Z": _offset_z, "O": _gmt, "z": _zone_name,
    "V": lambda value, width, names: zone_id(value),
}  # fmt: skip
