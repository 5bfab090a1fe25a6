"""Pebble's operators: Java's arithmetic and comparisons, bounded."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from penstock.expressions.errors import ExpressionError, LimitError
from penstock.expressions.limits import Budget
from penstock.expressions.printing import scalar_text, to_text
from penstock.expressions.truth import kind
from penstock.expressions.values import is_list, is_map, is_number, plain

_LONG_BITS = 64
_MAX_DEPTH = 100


def add(budget: Budget, left: Any, right: Any) -> Any:
    """The value of ``a + b``: text if either side is text (null as "null"), lists put together,
    else a sum."""
    if isinstance(left, str) or isinstance(right, str):
        texts = _java_text(left, budget), _java_text(right, budget)
        budget.text(len(texts[0]) + len(texts[1]))
        return "".join(texts)
    if is_list(left):
        more = list(right) if is_list(right) else [right]
        budget.items(len(left) + len(more))
        return [*left, *more]
    return _arithmetic("+", left, right)


def subtract(budget: Budget, left: Any, right: Any) -> Any:
    """The value of ``a - b``: a difference, or a list without the items of another list or one
    item."""
    if is_list(left):
        unwanted = list(right) if is_list(right) else [right]
        budget.items(len(left))
        kept = []
        for item in left:
            if not _among(budget, item, unwanted):
                kept.append(item)
            elif not is_list(right):
                unwanted = []  # a single item is removed once
        return kept
    return _arithmetic("-", left, right)


def _java_text(value: Any, budget: Budget) -> str:
    return "null" if value is None else to_text(value, budget)


def _arithmetic(operator: str, left: Any, right: Any) -> Any:
    if not is_number(left) or not is_number(right):
        wrong = right if is_number(left) else left
        hint = "; use `| number` on text" if isinstance(wrong, str) else ""
        raise ExpressionError(f"`{operator}` needs numbers, not {kind(wrong)}{hint}")
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _DECIMAL[operator](_decimal(left), _decimal(right))
    if isinstance(left, float) or isinstance(right, float):
        return _double(operator, float(left), float(right))
    return _integer(operator, left, right)


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(scalar_text(value))


_DECIMAL: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": lambda a, b: a % b,
}


def _double(operator: str, left: float, right: float) -> float:
    """The result of an operator on Java's doubles: division by zero is infinite, not an error."""
    if operator == "/" and right == 0:
        if left == 0 or left != left:
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1, right)
    if operator == "%":
        if right == 0 or math.isinf(left):
            return math.nan
        return math.fmod(left, right)
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    return left * right if operator == "*" else left / right


def _integer(operator: str, left: int, right: int) -> int:
    if operator == "+":
        result = left + right
    elif operator == "-":
        result = left - right
    elif operator == "*":
        if left.bit_length() + right.bit_length() > 2 * _LONG_BITS:
            raise LimitError("`*` gives a number of more than 64 bits")
        result = left * right
    elif right == 0:
        raise ExpressionError(f"`{operator}` by zero")
    else:
        quotient = abs(left) // abs(right)  # Java cuts off towards zero
        quotient = quotient if (left < 0) == (right < 0) else -quotient
        result = quotient if operator == "/" else left - right * quotient
    if not -(2**63) <= result < 2**63:
        raise LimitError(f"`{operator}` gives a number of more than 64 bits")
    return result


def equals(budget: Budget, left: Any, right: Any) -> bool:
    """Whether two values are equal: numbers by value, enums by name, all else by type and value:
    "1" is not 1."""
    return _equals(budget, left, right, 0)


def _equals(budget: Budget, left: Any, right: Any, depth: int) -> bool:
    if left is right:
        return True
    left, right = plain(left), plain(right)
    if is_number(left) and is_number(right):
        return _compare(left, right) == 0
    if is_list(left) and is_list(right):
        if len(left) != len(right):
            return False
        _step(budget, len(left), depth)
        pairs = zip(left, right, strict=True)
        return all(_equals(budget, a, b, depth + 1) for a, b in pairs)
    if is_map(left) and is_map(right):
        if len(left) != len(right):
            return False
        _step(budget, len(left), depth)
        return all(
            key in right and _equals(budget, item, right[key], depth + 1)
            for key, item in left.items()
        )
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left == right
    if is_list(left) or is_map(left) or is_list(right) or is_map(right):
        return False
    return bool(left == right)


def _step(budget: Budget, count: int, depth: int) -> None:
    """Count a step of a comparison: two values may share parts so often that walking them never
    ends."""
    if depth > _MAX_DEPTH:
        raise LimitError("a value is nested too deeply to compare")
    budget.items(count)
    budget.check_time()


def _among(budget: Budget, item: Any, items: list[Any]) -> bool:
    budget.items(len(items))
    return any(_equals(budget, item, other, 0) for other in items)


def _compare(left: Any, right: Any) -> int:
    if isinstance(left, float) != isinstance(right, float) and not (
        _special(left) or _special(right)
    ):
        left, right = _decimal(left), _decimal(right)
    return int(left > right) - int(left < right) if left == left and right == right else 1


def _special(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _ordered(symbol: str, accept: Callable[[int], bool]) -> Callable[[Budget, Any, Any], bool]:
    def compare(budget: Budget, left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        if not is_number(left) or not is_number(right):
            wrong = right if is_number(left) else left
            hint = "; compare dates through `| timestamp`" if isinstance(wrong, str) else ""
            raise ExpressionError(f"`{symbol}` needs numbers, not {kind(wrong)}{hint}")
        if left != left or right != right:
            return False
        return accept(_compare(left, right))

    return compare


def contains(budget: Budget, left: Any, right: Any) -> bool:
    """Whether a text contains a text, a list an element (or all of a list), or a map a key."""
    if left is None:
        return False
    if is_list(left):
        items = list(left)
        wanted = list(right) if is_list(right) else [right]
        return all(_among(budget, item, items) for item in wanted)
    if is_map(left):
        key = plain(right)
        return not is_list(key) and not is_map(key) and key in left
    if isinstance(left, str):
        return _java_text(right, budget) in left
    raise ExpressionError(f"`contains` needs text, a list or a map, not {kind(left)}")


def is_in(budget: Budget, left: Any, right: Any) -> bool:
    """Whether ``a isIn list``: elements are compared as text, and in a map its keys and values."""
    if left is None or right is None:
        return False
    if is_map(right):
        candidates = [*right.keys(), *right.values()]
    elif is_list(right):
        candidates = list(right)
    else:
        return False
    budget.items(len(candidates))
    wanted = to_text(left, budget)
    return any(item is not None and to_text(item, budget) == wanted for item in candidates)


def span(budget: Budget, left: Any, right: Any) -> list[Any]:
    """The list of ``1..5`` or ``'a'..'e'``: both ends included, upwards only, as in Pebble."""
    if isinstance(left, str) and isinstance(right, str):
        if len(left) != 1 or len(right) != 1:
            raise ExpressionError("`..` needs numbers or single letters")
        return [chr(code) for code in integers(budget, ord(left), ord(right), 1)]
    if isinstance(left, int) and isinstance(right, int) and is_number(left) and is_number(right):
        return integers(budget, left, right, 1)
    raise ExpressionError(f"`..` needs numbers or single letters, not {kind(left)}")


def integers(budget: Budget, start: int, end: int, step: int) -> list[int]:
    """The integers of a range, both ends included. Pebble counts up only, so a lower end gives
    nothing."""
    if step == 0:
        raise ExpressionError("the increment of a range must not be 0")
    values = range(start, end + (1 if step > 0 else -1), step)
    # len() fails on what does not fit in 64 bits
    budget.items(max(0, (end - start) // step + 1))
    return list(values)


BINARY: dict[str, Callable[[Budget, Any, Any], Any]] = {
    "+": add,
    "-": subtract,
    "*": lambda budget, left, right: _arithmetic("*", left, right),
    "/": lambda budget, left, right: _arithmetic("/", left, right),
    "%": lambda budget, left, right: _arithmetic("%", left, right),
    "==": equals,
    "!=": lambda budget, left, right: not equals(budget, left, right),
    ">": _ordered(">", lambda order: order > 0),
    "<": _ordered("<", lambda order: order < 0),
    ">=": _ordered(">=", lambda order: order >= 0),
    "<=": _ordered("<=", lambda order: order <= 0),
    "contains": contains,
    "isIn": is_in,
    "isNotIn": lambda budget, left, right: not is_in(budget, left, right),
    "..": span,
}
