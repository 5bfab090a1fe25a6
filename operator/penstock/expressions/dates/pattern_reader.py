"""Reads a text by one of Java's patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta

from penstock.expressions.dates.java_patterns import Part, parts_of
from penstock.expressions.dates.names import Names
from penstock.expressions.errors import ExpressionError

_NUMERIC = "yuDdHhKkmsSnNAFWwY"
_MAX_TEXT = 500
_MAX_NUMBER = 19
_LAST_HOURS = {"H": 23, "k": 24, "K": 11, "h": 12}
_NANOS_OF_DAY = 24 * 3600 * 10**9


class UnreadableDate(ValueError):
    """A text that the pattern does not describe; the message says what is wrong with it."""


@dataclass(frozen=True)
class ReadDate:
    """What a text says: a day, a time of day in nanoseconds, and a zone where one is named."""

    day: date
    nanos: int
    zone: str | None


@dataclass
class _Fields:
    """What was read: numbers by their letter, and the rest."""

    numbers: dict[str, int] = field(default_factory=dict)
    zone: str | None = None
    afternoon: bool | None = None
    weekday: int | None = None
    """0 for Monday."""


def read(text: str, pattern: str, names: Names) -> ReadDate:
    """The date of a text that was written by a pattern. Raises :class:`UnreadableDate`."""
    parts = parts_of(pattern)
    match = re.fullmatch(_regex(parts, names), text) if len(text) <= _MAX_TEXT else None
    if match is None:
        raise UnreadableDate("it is written otherwise")
    fields = _Fields()
    for index, part in enumerate(parts):
        found = match.groupdict().get(f"p{index}")
        if found is not None:
            _take(fields, part, found, names)
    try:
        day = _day(fields, names)
    except (ValueError, OverflowError) as error:
        raise UnreadableDate(str(error)) from None
    if fields.weekday is not None and day.weekday() != fields.weekday:
        raise UnreadableDate(f"{day.isoformat()} is a {names.days[day.weekday()]}")
    return ReadDate(day, _time(fields), fields.zone)


# --- the pattern as a regular expression ---------------------------------------------------------


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
    if _is_weekday_name(part):
        return "|".join(map(re.escape, names.days if width == 4 else names.short_days))
    if letter == "a":
        return "AM|PM|am|pm"
    if letter in "XxZOzV":
        return r"Z|(?:UTC|GMT)?[-+]\d{1,2}(?::?\d{2})?|[A-Za-z][A-Za-z0-9_+-]*(?:/[\w+-]+)*"
    if letter == "G":
        return "AD|Anno Domini"
    if letter in "Qq" and width > 2:
        return r"Q[1-4]|[1-4](?:st|nd|rd|th) quarter"
    adjacent = following and following.letter in (*_NUMERIC, "M") and following.width < 3
    if letter == "S" or adjacent:
        return rf"\d{{{width}}}"
    if letter in "yuY":
        return r"\d{2}" if width == 2 else rf"-?\d{{{min(width, 4)},9}}"
    return rf"\d{{{width},{max(width, 2 if letter in 'dMLHhKkms' else _MAX_NUMBER)}}}"


def _is_weekday_name(part: Part) -> bool:
    return part.letter == "E" or (part.letter in "ec" and part.width > 2)


def _take(fields: _Fields, part: Part, text: str, names: Names) -> None:
    letter = {"u": "y", "L": "M", "c": "e"}.get(part.letter, part.letter)
    if letter == "M" and part.width > 2:
        table = names.months if part.width == 4 else names.short_months
        fields.numbers["M"] = table.index(text) + 1
    elif _is_weekday_name(part):
        table = names.days if part.width == 4 else names.short_days
        fields.weekday = table.index(text)
    elif letter == "e":
        fields.weekday = (int(text) - (2 if names.sunday_first else 1)) % 7
    elif letter == "a":
        fields.afternoon = text.upper() == "PM"
    elif letter in "XxZOzV":
        fields.zone = text
    elif letter == "S":
        fields.numbers["n"] = int(text.ljust(9, "0"))
    elif letter in "yY" and part.width == 2:
        fields.numbers[letter] = 2000 + int(text)
    elif letter not in "GQq":
        fields.numbers[letter] = int(text)


# --- what the fields mean ------------------------------------------------------------------------


def _day(fields: _Fields, names: Names) -> date:
    """The day that the fields name: by month and day, by its number in the year, or by week and
    weekday."""
    numbers = fields.numbers
    if {"y", "M", "d"} <= numbers.keys():
        return date(numbers["y"], numbers["M"], numbers["d"])
    if {"y", "D"} <= numbers.keys():
        day = date(numbers["y"], 1, 1) + timedelta(days=numbers["D"] - 1)
        if numbers["D"] < 1 or day.year != numbers["y"]:
            raise ValueError(f"{numbers['y']} has no day {numbers['D']}")
        return day
    if {"Y", "w"} <= numbers.keys() and fields.weekday is not None:
        return _day_of_week(numbers["Y"], numbers["w"], fields.weekday, names)
    raise ValueError(
        "a date has a year, a month and a day; add what it lacks, as in `(month ~ '-01') | "
        "date(existingFormat='yyyy-MM-dd')`"
    )


def _day_of_week(year: int, week: int, weekday: int, names: Names) -> date:
    if not names.sunday_first:
        return date.fromisocalendar(year, week, weekday + 1)
    first = date(year, 1, 1)
    if not 1 <= week <= 54:
        raise ValueError(f"{year} has no week {week}")
    sunday = first - timedelta(days=first.isoweekday() % 7)
    return sunday + timedelta(weeks=week - 1, days=(weekday + 1) % 7)


def _time(fields: _Fields) -> int:
    """The time of day in nanoseconds; midnight where the text has none."""
    numbers = fields.numbers
    for letter, last in _LAST_HOURS.items():
        if numbers.get(letter, 0) > last:
            raise UnreadableDate(f"the last hour of `{letter}` is {last}")
    hour = numbers.get("H", numbers.get("k", 0) % 24)
    if "h" in numbers or "K" in numbers:
        hour = numbers.get("h", numbers.get("K", 0)) % 12 + (12 if fields.afternoon else 0)
    minute, second = numbers.get("m", 0), numbers.get("s", 0)
    if minute > 59 or second > 59:
        raise UnreadableDate(f"there is no time {hour:02d}:{minute:02d}:{second:02d}")
    nanos = numbers.get("N", numbers.get("A", 0) * 1_000_000)
    nanos += (hour * 3600 + minute * 60 + second) * 10**9 + numbers.get("n", 0)
    if nanos >= _NANOS_OF_DAY:
        raise UnreadableDate("a day has 24 hours")
    return nanos
