"""Values as text: what a print shows, and compact JSON for lists and maps.

JSON is written here and not by ``json.dumps``: null entries of maps are dropped, numbers look as
in Java, and a list that holds itself many times over has to meet the budget, not memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring
from typing import Any

from penstock.expressions.errors import LimitError
from penstock.expressions.limits import Budget
from penstock.expressions.values import Entry
from penstock.nesting import MAX_NESTING

MAX_JSON_DEPTH = MAX_NESTING


def to_text(value: Any, budget: Budget) -> str:
    """A value as a print shows it; null shows nothing."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, Entry):
        return f"{to_text(value.key, budget)}={to_text(value.value, budget)}"
    if isinstance(value, dict | list | tuple | set | frozenset | Mapping):
        return to_json(value, budget)
    return scalar_text(value, budget)


def scalar_text(value: Any, budget: Budget | None = None) -> str:
    """A value that is neither a list nor a map, as text."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return datetime_text(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def java_double(value: float) -> str:
    """``Double.toString``: plain between 10⁻³ and 10⁷, else with an exponent."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = repr(value)
        if "e" not in text:
            return text
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    figures = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) + exponent - 1
    return f"{'-' if sign else ''}{figures[0]}.{figures[1:] or '0'}E{power}"


def datetime_text(value: datetime) -> str:
    """Java's ``toString``: UTC as an instant, other zones without seconds when they are zero."""
    utc = value.tzinfo is not None and value.utcoffset() == timedelta(0)
    text = value.strftime("%Y-%m-%dT%H:%M").rjust(16, "0")
    if value.second or value.microsecond or utc:
        text += f":{value.second:02d}"
    if value.microsecond:
        digits = f"{value.microsecond:06d}"
        text += f".{digits[:3] if digits.endswith('000') else digits}"
    if value.tzinfo is None:
        return text
    if utc and _zone_key(value) is None:
        return f"{text}Z"
    key = _zone_key(value)
    return text + _offset(value) + (f"[{key}]" if key else "")


def _zone_key(value: datetime) -> str | None:
    key = getattr(value.tzinfo, "key", None)
    return None if key in (None, "UTC") else str(key)


def _offset(value: datetime) -> str:
    seconds = int((value.utcoffset() or timedelta(0)).total_seconds())
    if seconds == 0:
        return "Z"
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}"


def duration_text(value: timedelta) -> str:
    """Java's ``Duration.toString``: ``PT1H30M``."""
    total = value // timedelta(microseconds=1)
    sign, total = ("-", -total) if total < 0 else ("", total)
    seconds, micros = divmod(total, 1_000_000)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    text = "PT" + (f"{sign}{hours}H" if hours else "") + (f"{sign}{minutes}M" if minutes else "")
    if micros:
        return f"{text}{sign}{seconds}.{f'{micros:06d}'.rstrip('0')}S"
    return f"{text}{sign}{seconds}S" if seconds or text == "PT" else text


def to_json(value: Any, budget: Budget, *, keep_nulls: bool = False) -> str:
    """Compact JSON; null entries of maps are dropped unless they are to be kept."""
    writer = _JsonWriter(budget, keep_nulls)
    writer.write(value, 0)
    text = "".join(writer.parts)
    budget.text(len(text))
    return text


class _JsonWriter:
    def __init__(self, budget: Budget, keep_nulls: bool) -> None:
        self.parts: list[str] = []
        self.budget = budget
        self.keep_nulls = keep_nulls
        self.nodes = 0
        self.chars = 0

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.chars += len(text)
        if self.chars > self.budget.limits.output_chars:
            self.budget.text(self.chars)

    def write(self, value: Any, depth: int) -> None:
        if depth > MAX_JSON_DEPTH:
            raise LimitError("a value is nested too deeply to print")
        self.nodes += 1
        if self.nodes % 1024 == 0:
            self.budget.check_time()
        if value is None:
            self.add("null")
        elif isinstance(value, Entry):
            self.mapping({value.key: value.value}, depth)
        elif isinstance(value, Mapping):
            self.mapping(value, depth)
        elif isinstance(value, list | tuple | set | frozenset | range):
            self.sequence(value, depth)
        else:
            self.scalar(value)

    def scalar(self, value: Any) -> None:
        if isinstance(value, bool | int | Decimal):
            self.add(scalar_text(value))
        elif isinstance(value, float):
            text = java_double(value)
            self.add(text if text[-1].isdigit() else f'"{text}"')
        elif isinstance(value, datetime):
            self.add(f'"{json_date(value)}"')
        else:
            self.add(encode_basestring(scalar_text(value)))

    def sequence(self, value: Any, depth: int) -> None:
        self.add("[")
        for index, item in enumerate(value):
            if index:
                self.add(",")
            self.write(item, depth + 1)
        self.add("]")

    def mapping(self, value: Mapping[Any, Any], depth: int) -> None:
        self.add("{")
        first = True
        for key, item in value.items():
            if item is None and not self.keep_nulls:
                continue
            self.add("" if first else ",")
            first = False
            self.add(encode_basestring("null" if key is None else scalar_text(key)))
            self.add(":")
            self.write(item, depth + 1)
        self.add("}")


def json_date(value: Any) -> str | None:
    """A date with a time as JSON has it: always with seconds, never with the name of a zone."""
    if not isinstance(value, datetime):
        return None
    text = datetime_text(value).partition("[")[0]
    return text if len(text) > 18 and text[16] == ":" else f"{text[:16]}:00{text[16:]}"
