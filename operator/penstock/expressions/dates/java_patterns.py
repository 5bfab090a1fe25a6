"""Java's ``DateTimeFormatter`` patterns: write a date by one, and read text by one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from penstock.expressions.dates.names import Names
from penstock.expressions.dates.zones import offset_text, zone_id
from penstock.expressions.errors import ExpressionError

_MAX_PATTERN = 200
_MAX_WIDTH = 19
_NUMERIC = "yuDdHhKkmsSnNAFWwY"


@dataclass(frozen=True)
class Part:
    """A run of one letter, or literal text (letter empty)."""

    letter: str
    width: int
    text: str = ""


@lru_cache(maxsize=500)
def parts_of(pattern: str) -> tuple[Part, ...]:
    """A pattern cut into its parts."""
    if len(pattern) > _MAX_PATTERN:
        raise ExpressionError("the date pattern is too long")
    found: list[Part] = []
    for match in re.finditer(r"''|'((?:[^']|'')*)'|([A-Za-z])\2*|.", pattern, re.DOTALL):
        text = match.group()
        if text == "''":
            found.append(Part("", 0, "'"))
        elif match.group(1) is not None:
            found.append(Part("", 0, match.group(1).replace("''", "'")))
        elif match.group(2):
            found.append(_letters(pattern, text))
        elif text == "'":
            raise ExpressionError(f"the date pattern `{pattern}` has a quote that is not closed")
        elif text in "{}#":
            raise ExpressionError(f"the date pattern `{pattern}` has a reserved `{text}`")
        else:
            found.append(Part(text if text in "[]" else "", 0, text))
    return tuple(found)


def _letters(pattern: str, text: str) -> Part:
    if text[0] not in _WRITERS:
        hint = "; quote text with '…'" if len(text) > 1 or text[0] not in "lj" else ""
        raise ExpressionError(f"unknown letter `{text[0]}` in the date pattern `{pattern}`{hint}")
    if len(text) > _MAX_WIDTH:
        raise ExpressionError(f"too many `{text[0]}` in the date pattern `{pattern}`")
    return Part(text[0], len(text))


def write(value: datetime, pattern: str, names: Names) -> str:
    """The date by a pattern."""
    texts: list[str] = []
    for part in parts_of(pattern):
        if not part.letter:
            texts.append(part.text)
        elif part.letter not in "[]":  # brackets mean something only when reading
            texts.append(_WRITERS[part.letter](value, part.width, names))
    return "".join(texts)


# --- writing ------------------------------------------------------------------------------------


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


def _fraction(value: datetime, width: int, names: Names) -> str:
    return f"{value.microsecond:06d}".ljust(width, "0")[:width]


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
    if getattr(value.tzinfo, "key", None) is None and value.utcoffset() != timedelta(0):
        return zone_id(value)
    name = value.tzname() or "UTC"
    return "Coordinated Universal Time" if width == 4 and name == "UTC" else name


def _midnight(value: datetime) -> timedelta:
    return timedelta(
        hours=value.hour,
        minutes=value.minute,
        seconds=value.second,
        microseconds=value.microsecond,
    )


def _padded(get: Callable[[datetime], int]) -> Callable[[datetime, int, Names], str]:
    return lambda value, width, names: str(get(value)).zfill(width)


_WRITERS: dict[str, Callable[[datetime, int, Names], str]] = {
    "G": lambda value, width, names: "Anno Domini" if width == 4 else "AD",
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
    "S": _fraction,
    "n": _padded(lambda value: value.microsecond * 1000),
    "N": _padded(lambda value: _midnight(value) // timedelta(microseconds=1) * 1000),
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


# --- reading ------------------------------------------------------------------------------------


@dataclass
class Fields:
    """What was read: numbers by their letter, and a zone."""

    numbers: dict[str, int] = field(default_factory=dict)
    zone: str | None = None
    afternoon: bool | None = None


def read(text: str, pattern: str, names: Names) -> Fields | None:
    """The fields of a text written by a pattern; None if it was not."""
    parts = parts_of(pattern)
    match = re.fullmatch(_regex(parts, names), text[:500])
    if match is None or len(text) > 500:
        return None
    fields = Fields()
    for index, part in enumerate(parts):
        found = match.groupdict().get(f"p{index}")
        if found is not None:
            _take(fields, part, found, names)
    return fields


def _regex(parts: tuple[Part, ...], names: Names) -> str:
    pieces: list[str] = []
    opened = 0
    for index, part in enumerate(parts):
        if part.letter == "[":
            opened += 1
            pieces.append("(?:")
        elif part.letter == "]":
            if opened:
                pieces.append(")?")
            opened -= 1
        elif not part.letter:
            pieces.append(re.escape(part.text))
        else:
            following = parts[index + 1] if index + 1 < len(parts) else None
            pieces.append(f"(?P<p{index}>{_piece(part, following, names)})")
    if opened != 0:
        raise ExpressionError("the date pattern has brackets that do not match")
    return "".join(pieces)


def _piece(part: Part, following: Part | None, names: Names) -> str:
    letter, width = part.letter, part.width
    if letter in "ML" and width > 2:
        return "|".join(map(re.escape, names.months if width == 4 else names.short_months))
    if letter in "Eec":
        return "|".join(map(re.escape, names.days if width == 4 else names.short_days))
    if letter == "a":
        return "AM|PM|am|pm"
    if letter in "XxZOzV":
        return r"Z|(?:UTC|GMT)?[-+]\d{1,2}(?::?\d{2})?|[A-Za-z][A-Za-z0-9_+-]*(?:/[\w+-]+)*"
    if letter == "G":
        return "AD|Anno Domini"
    adjacent = following and following.letter in (*_NUMERIC, "M") and following.width < 3
    if letter == "S" or adjacent:
        return rf"\d{{{width}}}"
    if letter in "yu":
        return r"\d{2}" if width == 2 else rf"-?\d{{{min(width, 4)},9}}"
    return rf"\d{{{width},{max(width, 2 if letter in 'dMLHhKkms' else _MAX_WIDTH)}}}"


def _take(fields: Fields, part: Part, text: str, names: Names) -> None:
    letter = {"u": "y", "L": "M"}.get(part.letter, part.letter)
    if letter == "M" and part.width > 2:
        table = names.months if part.width == 4 else names.short_months
        fields.numbers["M"] = table.index(text) + 1
    elif letter == "a":
        fields.afternoon = text.upper() == "PM"
    elif letter in "XxZOzV":
        fields.zone = text
    elif letter == "S":
        fields.numbers["micros"] = int(text.ljust(6, "0")[:6])
    elif letter == "y" and part.width == 2:
        fields.numbers["y"] = 2000 + int(text)
    elif letter not in "EecG":
        fields.numbers[letter] = int(text)
