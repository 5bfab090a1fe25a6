"""Filters on numbers."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

from penstock.expressions.errors import ExpressionError
from penstock.expressions.printing import scalar_text
from penstock.expressions.registry import register_filter
from penstock.expressions.rendering import Rendering
from penstock.expressions.truth import kind
from penstock.expressions.values import is_number, need_text

_MAX_DIGITS = 400
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")
_INTEGER = re.compile(r"[-+]?\d+")
_BITS = {"INT": 31, "LONG": 63}


def _need_number(value: Any) -> Any:
    if not is_number(value):
        raise ExpressionError(f"needs a number, not {kind(value)}; use `| number` on text")
    return value


@register_filter("abs")
def absolute(run: Rendering, value: Any) -> Any:
    """The number without its sign.

    {{ -3 | abs }} → 3
    """
    return abs(_need_number(value))


@register_filter("number")
def number(run: Rendering, value: Any, type: Any = None) -> Any:  # the argument's name in Kestra
    """Read a number from text; the smallest type that holds it if none is given. Types are `INT`,
    `LONG`, `FLOAT`, `DOUBLE`, `BIGINTEGER` and `BIGDECIMAL`.

    {{ ('12' | number) + 1 }} → 13
    {{ '12' | number('FLOAT') }} → 12.0
    """
    text = need_text(value, "the input").strip()
    wanted = None if type is None else need_text(type, "type").upper()
    if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
        raise ExpressionError(f"`{text[:50]}` is not a number")
    if wanted in (None, "INT", "LONG", "BIGINTEGER") and _INTEGER.fullmatch(text):
        return _integer(int(text), wanted)
    if wanted in (None, "FLOAT", "DOUBLE"):
        return float(text)
    if wanted == "BIGDECIMAL":
        return Decimal(text)
    if wanted in ("INT", "LONG", "BIGINTEGER"):
        raise ExpressionError(f"`{text}` is not an integer")
    raise ExpressionError("`type` must be INT, FLOAT, LONG, DOUBLE, BIGDECIMAL or BIGINTEGER")


def _integer(value: int, wanted: str | None) -> int:
    bits = _BITS.get(wanted or "")
    if bits is not None and not -(2**bits) <= value < 2**bits:
        raise ExpressionError(f"`{value}` does not fit in the type {wanted}")
    return value


_FORMAT = re.compile(r"((?:[^#0,.'%‰;]|'[^']*')*)([#0,]*)(?:\.([#0]*))?((?:[^#0,.;]|'[^']*')*)")


@register_filter("numberFormat")
def number_format(run: Rendering, value: Any, format: Any = "#,##0.###") -> str:
    """Write a number by a pattern of Java's `DecimalFormat`; rounds half to even.

    {{ 1234.5 | numberFormat('#,##0.00') }} → 1,234.50
    {{ 0.256 | numberFormat('#%') }} → 26%
    """
    pattern = need_text(format, "format").split(";", 1)[0]
    match = _FORMAT.fullmatch(pattern)
    if len(pattern) > 100 or match is None or not (match.group(2) or match.group(3)):
        raise ExpressionError(f"bad number format `{pattern[:50]}`")
    prefix, whole, fraction, suffix = (part or "" for part in match.groups())
    exact = Decimal(scalar_text(_need_number(value)))
    if "%" in prefix + suffix:
        exact *= 100
    if not exact.is_finite():
        return _literal(prefix) + str(value) + _literal(suffix)
    try:
        figures = _figures(exact, whole, fraction)
    except InvalidOperation:
        raise ExpressionError("the number is too large to format") from None
    is_zero = not any(character in "123456789" for character in figures)
    sign = "-" if exact < 0 and not is_zero else ("-" if exact < 0 else "")
    return sign + _literal(prefix) + figures + _literal(suffix)


def _figures(value: Decimal, whole: str, fraction: str) -> str:
    step = Decimal(1).scaleb(-len(fraction))
    rounded = abs(value).quantize(step, ROUND_HALF_EVEN, Context(prec=_MAX_DIGITS))
    integer, _, decimals = f"{rounded:f}".partition(".")
    integer = integer.lstrip("0").rjust(whole.count("0"), "0")
    if "," in whole:
        integer = _grouped(integer, len(whole) - whole.rindex(",") - 1)
    least = fraction.count("0")
    while len(decimals) > least and decimals.endswith("0"):
        decimals = decimals[:-1]
    if not integer and not decimals:
        integer = "0"
    return f"{integer}.{decimals}" if decimals else integer


def _grouped(digits: str, size: int) -> str:
    if size < 1:
        return digits
    head = len(digits) % size
    groups = [digits[:head]] if head else []
    return ",".join(groups + [digits[i : i + size] for i in range(head, len(digits), size)])


def _literal(text: str) -> str:
    return text.replace("''", "\0").replace("'", "").replace("\0", "'")
