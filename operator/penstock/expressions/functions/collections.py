"""Functions on numbers and lists."""

from __future__ import annotations

from typing import Any

from penstock.expressions.errors import ExpressionError
from penstock.expressions.operators import BINARY, integers, span
from penstock.expressions.registry import register_function
from penstock.expressions.rendering import Rendering
from penstock.expressions.values import is_map, need_integer, need_list, need_text


def _extreme(run: Rendering, operator: str, values: tuple[Any, ...]) -> Any:
    if not values:
        raise ExpressionError("expects at least one value")
    best = values[0]
    for value in values[1:]:
        if best is None or BINARY[operator](run.budget, value, best):
            best = value
    return best


@register_function("max")
def maximum(run: Rendering, *values: Any) -> Any:
    """The greatest of its arguments.

    {{ max(3, 1, 2) }} → 3
    """
    return _extreme(run, ">", values)


@register_function("min")
def minimum(run: Rendering, *values: Any) -> Any:
    """The least of its arguments.

    {{ min(3, 1, 2) }} → 1
    """
    return _extreme(run, "<", values)


@register_function("range")
def range_(run: Rendering, start: Any, end: Any, increment: Any = 1) -> list[Any]:
    """Numbers or letters, both ends included.

    {{ range(1, 3) }} → [1,2,3]
    {{ range(0, 10, 5) }} → [0,5,10]
    {{ range('a', 'c') }} → ["a","b","c"]
    """
    step = need_integer(increment, "increment")
    if isinstance(start, str):
        return span(run.budget, start, need_text(end, "end"))[:: max(step, 1)]
    first, last = need_integer(start, "start"), need_integer(end, "end")
    return integers(run.budget, first, last, step)


@register_function("loopOutputs")
def loop_outputs(run: Rendering, outputs: Any, id: Any) -> list[Any]:
    """One output of every iteration of a loop, as a list.

    {{ loopOutputs([{'outputs': {'total': 3}}, {'outputs': {'total': 5}}], 'total') }} → [3,5]
    """
    items = need_list(outputs)
    run.budget.items(len(items))
    name = need_text(id, "id")
    found: list[Any] = []
    for item in items:
        given: Any = item.get("outputs") if is_map(item) else None
        found.append(given.get(name) if is_map(given) else None)
    return found
