"""How the value of an expression is kept: as JSON, so that a status can hold it.

Within a template there are values of which JSON knows nothing: dates, Java's constants, exact
decimals, entries of maps. Outside they are what a print or `toJson` makes of them, and numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from penstock.expressions.errors import LimitError
from penstock.expressions.limits import Budget
from penstock.expressions.printing import MAX_JSON_DEPTH, java_double, json_date, scalar_text
from penstock.expressions.values import Entry

_AS_IT_IS = (str, bool, int, float, type(None))
_LONG_DIGITS = 18
_LISTS = (list, tuple, set, frozenset, range)


def stored(value: Any, budget: Budget, depth: int = 0) -> Any:
    """A value in which all that JSON does not know is put into words or numbers."""
    if type(value) in _AS_IT_IS:
        is_json = type(value) is not float or math.isfinite(value)
        return value if is_json else java_double(value)
    if depth > MAX_JSON_DEPTH:
        raise LimitError("a value is nested too deeply")
    if isinstance(value, Entry):
        value = {value.key: value.value}
    if isinstance(value, Mapping):
        _count(budget, len(value))
        return {
            stored(key, budget, depth + 1): stored(item, budget, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, _LISTS):
        _count(budget, len(value))
        return [stored(item, budget, depth + 1) for item in value]
    if isinstance(value, Decimal):
        return stored(_number(value), budget)
    return json_date(value) or scalar_text(value)


def _count(budget: Budget, count: int) -> None:
    """Ask the budget for a walk over so many items. A value that was given may be as long as it is;
    only parts that are shared without end may not be walked without end."""
    budget.check_time()
    budget.items(min(count, budget.limits.items))


def _number(value: Decimal) -> int | float:
    """An integer where it is one of at most 18 digits, else the nearest double."""
    whole = value.is_finite() and value.adjusted() < _LONG_DIGITS
    return int(value) if whole and value == value.to_integral_value() else float(value)
