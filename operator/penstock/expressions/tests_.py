"""The tests of ``is`` and ``is not``."""

from __future__ import annotations

import json
from typing import Any

from penstock.expressions.errors import ExpressionError
from penstock.expressions.registry import register_test
from penstock.expressions.rendering import Rendering
from penstock.expressions.truth import kind
from penstock.expressions.values import is_empty, is_list, is_map


@register_test("defined")
def defined(run: Rendering, value: Any) -> bool:
    """Whether a value is there, and not null.

    {{ inputs.missing is defined }} → false
    {{ inputs.name is defined }} → true
    """
    # Compiled specially, as it may be missing: see `Rendering.is_defined`.
    return value is not None


@register_test("null")
def null(run: Rendering, value: Any) -> bool:
    """Whether a value is null; a missing variable is an error, as anywhere.

    {{ null is null }} → true
    """
    return value is None


@register_test("empty")
def empty(run: Rendering, value: Any) -> bool:
    """Whether a value is null, blank text, or an empty list or map.

    {{ ' ' is empty }} → true
    {{ inputs.numbers is empty }} → false
    """
    return is_empty(value)


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"needs an integer, not {kind(value)}")


@register_test("even")
def even(run: Rendering, value: Any) -> bool:
    """Whether an integer can be divided by 2.

    {{ 4 is even }} → true
    """
    return _integer(value) % 2 == 0


@register_test("odd")
def odd(run: Rendering, value: Any) -> bool:
    """Whether an integer can't be divided by 2.

    {{ 4 is odd }} → false
    """
    return _integer(value) % 2 == 1


@register_test("iterable")
def iterable(run: Rendering, value: Any) -> bool:
    """Whether a value is a list; a map is none, as in Java.

    {{ inputs.numbers is iterable }} → true
    {{ inputs is iterable }} → false
    """
    return is_list(value)


@register_test("map")
def is_a_map(run: Rendering, value: Any) -> bool:
    """Whether a value is a map.

    {{ inputs is map }} → true
    """
    return is_map(value)


@register_test("json")
def is_json(run: Rendering, value: Any) -> bool:
    """Whether a value is text that can be read as JSON.

    {{ '{"a": 1}' is json }} → true
    {{ inputs.name is json }} → false
    """
    if not isinstance(value, str):
        return False
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True
