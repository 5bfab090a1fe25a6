"""The two rules of truth: Kestra's for rendered properties and Pebble's inside the language."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from penstock.expressions.errors import ExpressionError

_FALSE_TEXTS = frozenset({"", "0", "-0", "false"})


def is_truthy(rendered: Any) -> bool:
    """Whether a rendered value is true by Kestra's rule for ``runIf``, ``If``, ``Fail`` and others.

    Exactly ``false``, ``0``, ``-0`` and the empty text are false, besides null. The text is not
    trimmed: a blank line around an expression makes it true, as in Kestra.
    """
    if rendered is None:
        return False
    if isinstance(rendered, bool):
        return rendered
    if isinstance(rendered, str | int | float | Decimal):
        return str(rendered) not in _FALSE_TEXTS
    return True


def pebble_truth(value: Any) -> bool:
    """Whether a value is true by Pebble's rule for ``if``, ``and``, ``or``, ``not`` and ``? :``:
    any text is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return value != 0
    if isinstance(value, str):
        return value != ""
    if value is None:
        raise ExpressionError("a condition is null; use `is null` or `??` to handle it")
    raise ExpressionError(
        f"a condition must be a boolean, a number or text, not {kind(value)}; "
        "compare it, or use `is empty`"
    )


def kind(value: Any) -> str:
    """The name of a value's type for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float | Decimal):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list | tuple | set | frozenset):
        return "a list"
    if hasattr(value, "keys"):
        return "a map"
    return "a date" if hasattr(value, "isoformat") else "a value of another type"
