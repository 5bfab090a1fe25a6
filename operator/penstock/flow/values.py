"""How a given value becomes the declared type of an input or output, or why it can't.

Typed values stay JSON: a date-time is ISO text, a duration is ISO text, so that they can stand in
an Execution's status as they are. Error texts follow Kestra's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from typing import Any, get_args
from urllib.parse import urlsplit

import regex

from penstock.flow.constraints import comparable, compiled
from penstock.flow.inputs import Input, InputType
from penstock.flow.model import format_duration, json_text, parse_duration
from penstock.nesting import TOO_DEEP, is_deeper

_EMAIL = regex.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_INTEGER = regex.compile(r"[-+]?[0-9]{1,19}")
_NUMBER = regex.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LARGEST = 2**63
_KEEP_EMPTY_TEXT: frozenset[InputType] = frozenset({"STRING", "EMAIL", "SECRET"})
_MAX_PATTERN_INPUT = 10_000
_PATTERN_SECONDS = 1.0


class InvalidInput(Exception):
    """An input can't take a value. The message names the input and the value."""


class MissingInput(InvalidInput):
    """An input that must have a value has none."""

    def __init__(self, declared: Input) -> None:
        super().__init__(
            f"Invalid input for `{declared.id}`, missing required input, but received `null`"
        )


def type_value(declared: Input, value: Any) -> Any:
    """Convert one value to the declared type and check its constraints.

    Raises :class:`InvalidInput`. The value of a SECRET never stands in the message.
    """
    parser = _PARSERS[declared.type]
    if is_deeper(value):  # which can't be shown either
        raise InvalidInput(f"Invalid input for `{declared.id}`, it is {TOO_DEEP}")
    try:
        typed = parser(value, declared)
        if is_deeper(typed):
            raise ValueError(f"it is {TOO_DEEP}")
        _check_constraints(declared, typed)
    except ValueError as error:
        received = "******" if declared.type == "SECRET" else _short(value)
        raise InvalidInput(
            f"Invalid input for `{declared.id}`, {error}, but received `{received}`"
        ) from None
    return typed


def given_value(declared: Input, value: Any) -> Any:
    """The value before it is typed: an empty text is null for every type that is no text.

    So a form's empty field, `--input n=` and an expression that gives null all leave the input
    unset. A choice may be empty where an empty text is among its values.
    """
    if value != "" or declared.type in _KEEP_EMPTY_TEXT:
        return value
    is_choice = declared.type in ("SELECT", "ENUM")
    return value if is_choice and "" in (declared.values or ()) else None


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 200 else text[:200] + "…"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return json_text(value)


def _string(value: Any, declared: Input) -> str:
    text = _text(value)
    if declared.validator is not None:
        if len(text) > _MAX_PATTERN_INPUT:
            raise ValueError(f"it is longer than {_MAX_PATTERN_INPUT} characters")
        if not _matches(declared.validator, text):
            raise ValueError(f"it must match the pattern `{declared.validator}`")
    return text


def _matches(pattern: str, text: str) -> bool:
    try:
        return compiled(pattern).fullmatch(text, timeout=_PATTERN_SECONDS) is not None
    except TimeoutError:
        raise ValueError(f"matching the pattern `{pattern}` takes too long") from None


def _integer(value: Any, declared: Input) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = _text(value).strip()
    if _INTEGER.fullmatch(text) is None or not -_LARGEST <= int(text) < _LARGEST:
        raise ValueError("expected `INT`")
    return int(text)


def _float(value: Any, declared: Input) -> float:
    text = _text(value).strip()
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise ValueError("expected `FLOAT`")
    return number


def _boolean(value: Any, declared: Input) -> bool:
    if isinstance(value, bool):
        return value
    text = _text(value).strip().lower()
    if text not in ("true", "false"):
        raise ValueError("expected `true` or `false`")
    return text == "true"


def _datetime(value: Any, declared: Input) -> str:
    return _iso("DATETIME", datetime.fromisoformat, value)


def _date(value: Any, declared: Input) -> str:
    return _iso("DATE", date.fromisoformat, value)


def _time(value: Any, declared: Input) -> str:
    return _iso("TIME", time.fromisoformat, value)


def _iso(kind: str, parse: Callable[[str], Any], value: Any) -> str:
    text = _text(value).strip()
    try:
        parse(text)
    except ValueError:
        raise ValueError(f"expected `{kind}` in ISO-8601 form") from None
    return text


def _duration(value: Any, declared: Input) -> str:
    return format_duration(parse_duration(value))


def _json(value: Any, declared: Input) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except ValueError as error:
        raise ValueError(f"expected `JSON` ({error})") from None


def parse_json(text: str) -> Any:
    """Read strict JSON: no NaN, no numbers too large to keep. Raises ``ValueError``."""
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"`{name}` is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number `{text}` is too large")
    return number


def _yaml(value: Any, declared: Input) -> Any:
    if not isinstance(value, str):
        return value
    from penstock.flow.loading import load_document
    from penstock.flow.problems import InvalidFlow

    try:
        return load_document(value).value
    except InvalidFlow as error:
        raise ValueError(f"expected `YAML` ({error})") from None


def _uri(value: Any, declared: Input) -> str:
    text = _text(value)
    if not urlsplit(text).scheme:
        raise ValueError("expected `URI`")
    return text


def _email(value: Any, declared: Input) -> str:
    text = _text(value)
    if text and _EMAIL.fullmatch(text) is None:
        raise ValueError("The input must be a valid email")
    return text


def _choice(value: Any, declared: Input) -> str:
    text = _text(value)
    if declared.values is not None and not declared.allow_custom_value:
        _member(text, declared.values)
    return text


def _choices(value: Any, declared: Input) -> list[Any]:
    items = _list(value)
    if declared.values is not None and not declared.allow_custom_value:
        for item in items:
            _member(_text(item), declared.values)
    return _elements(items, declared.item_type or "STRING", declared)


def _array(value: Any, declared: Input) -> list[Any]:
    """A list as an ARRAY. Elements stay as they are where no type is declared for them, as in a
    flow's output."""
    items = _list(value)
    return items if declared.item_type is None else _elements(items, declared.item_type, declared)


def _elements(items: Iterable[Any], kind: InputType, declared: Input) -> list[Any]:
    element = Input.model_construct(id=declared.id, type=kind)
    typed = []
    for item in items:
        try:
            typed.append(_PARSERS[kind](item, element))
        except ValueError:
            raise ValueError(f"Unable to parse array element as `{kind}` on `{item}`") from None
    return typed


def _list(value: Any) -> list[Any]:
    parsed = value
    if isinstance(value, str):
        try:
            parsed = parse_json(value)
        except ValueError:
            parsed = None
    if not isinstance(parsed, list):
        raise ValueError("expected a JSON array")
    return parsed


def _member(text: str, values: Iterable[Any]) -> None:
    allowed = [_text(value) for value in values]
    if text not in allowed:
        raise ValueError(f"it must match the values `[{', '.join(allowed)}]`")


def _check_constraints(declared: Input, typed: Any) -> None:
    compare = comparable(declared.type)
    if compare is None or typed is None:
        return
    value = compare(typed)
    bounds = (
        ("less", "more than", declared.min),
        ("more", "less than", declared.max),
        ("less", "after", declared.after),
        ("more", "before", declared.before),
    )
    for side, words, bound in bounds:
        if bound is None:
            continue
        limit = compare(bound)
        if (value < limit) if side == "less" else (value > limit):
            raise ValueError(f"it must be {words} `{bound}`")


_PARSERS: dict[str, Callable[[Any, Input], Any]] = {
    "STRING": _string,
    "SECRET": _string,
    "ENUM": _choice,
    "SELECT": _choice,
    "MULTISELECT": _choices,
    "INT": _integer,
    "FLOAT": _float,
    "BOOLEAN": _boolean,
    "BOOL": _boolean,
    "DATETIME": _datetime,
    "DATE": _date,
    "TIME": _time,
    "DURATION": _duration,
    "FILE": _uri,
    "JSON": _json,
    "YAML": _yaml,
    "URI": _uri,
    "ARRAY": _array,
    "EMAIL": _email,
}
assert set(_PARSERS) == set(get_args(InputType))
