"""Values that only templates see, and questions asked of any value."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from penstock.expressions.errors import ExpressionError
from penstock.expressions.truth import kind


class Entry(NamedTuple):
    """An entry of a map, as a loop over the map gives it."""

    key: Any
    value: Any


def is_number(value: Any) -> bool:
    """Whether a value is a number; booleans are none in Java."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_list(value: Any) -> bool:
    """Whether a value is a list, array or set."""
    return isinstance(value, list | tuple | set | frozenset | range) and not isinstance(
        value, Entry
    )


def is_map(value: Any) -> bool:
    """Whether a value is a map, lazy or not."""
    return isinstance(value, Mapping)


def is_empty(value: Any) -> bool:
    """Whether a value is null, blank text, an empty list or map; 0 and false are not empty."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    return (is_list(value) or is_map(value)) and len(value) == 0


def plain(value: Any) -> Any:
    """An enum as the text of its name; everything else as it is."""
    return value.name if isinstance(value, Enum) else value


def need_list(value: Any) -> list[Any]:
    """The value as a list, or an error."""
    if isinstance(value, list):
        return value
    if is_list(value):
        return list(value)
    raise ExpressionError(f"needs a list, not {kind(value)}")


def need_integer(value: Any, what: str) -> int:
    """The value as an integer, or an error that names the argument."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise ExpressionError(f"`{what}` must be an integer, not {kind(value)}")


def need_text(value: Any, what: str) -> str:
    """The value as text, or an error that names the argument."""
    if isinstance(value, str):
        return value
    raise ExpressionError(f"`{what}` must be text, not {kind(value)}")
