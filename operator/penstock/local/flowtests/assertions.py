"""The conditions of assertions, and how a value is compared with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from penstock.engine.rendering.evaluators import BoundEvaluator
from penstock.expressions import ExpressionError, UndefinedError
from penstock.local.flowtests.model import Assertion


@dataclass(frozen=True)
class Outcome:
    """The outcome of one condition of an assertion."""

    operator: str
    expected: Any
    actual: Any
    passed: bool
    error: str | None = None
    """Why the condition could not be checked."""


def look_at(assertion: Assertion, evaluator: BoundEvaluator) -> list[Outcome]:
    """Check each condition of an assertion."""
    return [
        _look_at(operator, wanted, assertion.value, evaluator)
        for operator, wanted in assertion.conditions().items()
    ]


def _look_at(operator: str, wanted: Any, value: Any, evaluator: BoundEvaluator) -> Outcome:
    try:
        expected = _evaluated(wanted, evaluator)
    except ExpressionError as error:
        return Outcome(operator, wanted, None, False, str(error))
    try:
        actual = _evaluated(value, evaluator)
    except UndefinedError as error:
        if operator not in ("isNull", "isNotNull"):
            return Outcome(operator, expected, None, False, str(error))
        actual = None
    except ExpressionError as error:
        return Outcome(operator, expected, None, False, str(error))
    try:
        return Outcome(operator, expected, actual, _HOLDS[operator](actual, expected))
    except _CannotCompare as error:
        return Outcome(operator, expected, actual, False, str(error))


def _evaluated(value: Any, evaluator: BoundEvaluator) -> Any:
    if isinstance(value, str):
        return evaluator.evaluate(value)
    if isinstance(value, list):
        return [_evaluated(item, evaluator) for item in value]
    if isinstance(value, dict):
        return {key: _evaluated(item, evaluator) for key, item in value.items()}
    return value


class _CannotCompare(Exception):
    """Two values can't be compared; the text says which."""


def as_text(value: Any) -> str:
    """A value as people read it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _same(actual: Any, expected: Any) -> bool:
    """Whether two values are equal, or are written alike: an expression in the middle of a text, or
    an output of a script, is text."""
    if isinstance(actual, bool) is isinstance(expected, bool) and actual == expected:
        return True
    if isinstance(actual, str) is isinstance(expected, str):
        return False
    return as_text(actual) == as_text(expected)


def _order(actual: Any, expected: Any) -> int:
    """The order of two values, as a number below 0, 0, or above: of numbers, else of texts such as
    ISO dates."""
    numbers = _number(actual), _number(expected)
    if numbers[0] is not None and numbers[1] is not None:
        return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1])
    if isinstance(actual, str) and isinstance(expected, str):
        return (actual > expected) - (actual < expected)
    raise _CannotCompare(f"`{as_text(actual)}` and `{as_text(expected)}` have no order")


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        return None


def _contains(actual: Any, expected: Any) -> bool:
    if isinstance(actual, Mapping):
        return expected in actual
    if isinstance(actual, list):
        return any(_same(item, expected) for item in actual)
    return actual is not None and as_text(expected) in as_text(actual)


def _in(actual: Any, expected: Any) -> bool:
    if isinstance(expected, str):
        try:
            expected = json.loads(expected)
        except ValueError:
            expected = [expected]
    if not isinstance(expected, list):
        raise _CannotCompare(f"`{as_text(expected)}` is no list")
    return any(_same(actual, item) for item in expected)


def _equal(actual: Any, expected: Any) -> bool:
    return _same(actual, expected)


def _not_equal(actual: Any, expected: Any) -> bool:
    return not _same(actual, expected)


_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "equalTo": _equal,
    "equalsTo": _equal,
    "notEqualTo": _not_equal,
    "notEqualsTo": _not_equal,
    "greaterThan": lambda actual, expected: _order(actual, expected) > 0,
    "greaterThanOrEqualTo": lambda actual, expected: _order(actual, expected) >= 0,
    "lessThan": lambda actual, expected: _order(actual, expected) < 0,
    "lessThanOrEqualTo": lambda actual, expected: _order(actual, expected) <= 0,
    "in": _in,
    "notIn": lambda actual, expected: not _in(actual, expected),
    "isNull": lambda actual, expected: (actual is None) is expected,
    "isNotNull": lambda actual, expected: (actual is not None) is expected,
    "startsWith": lambda actual, expected: as_text(actual).startswith(as_text(expected)),
    "endsWith": lambda actual, expected: as_text(actual).endswith(as_text(expected)),
    "contains": _contains,
}
