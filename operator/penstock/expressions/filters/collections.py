"""Filters on lists and maps."""

from __future__ import annotations

from datetime import datetime
from functools import cmp_to_key
from typing import Any

from penstock.expressions.errors import ExpressionError
from penstock.expressions.operators import _compare, equals
from penstock.expressions.printing import to_text
from penstock.expressions.registry import register_filter
from penstock.expressions.rendering import Rendering
from penstock.expressions.truth import kind
from penstock.expressions.values import (
    Entry,
    is_list,
    is_map,
    is_number,
    need_integer,
    need_list,
    need_text,
)


@register_filter("default", takes_null=True)
def default(run: Rendering, value: Any, default: Any) -> Any:
    """The argument where the input is missing, null or empty: blank text, an empty list or map.

    {{ inputs.missing | default('none') }} → none
    {{ 0 | default('none') }} → 0
    """
    # Compiled specially, as its input may be missing: see `Rendering.default`.
    return run.default(0, lambda: value, default)


@register_filter("first")
def first(run: Rendering, value: Any) -> Any:
    """The first item of a list, or letter of a text.

    {{ inputs.numbers | first }} → 3
    {{ 'abc' | first }} → a
    """
    return _end(value, 0)


@register_filter("last")
def last(run: Rendering, value: Any) -> Any:
    """The last item of a list, or letter of a text.

    {{ inputs.numbers | last }} → 2
    {{ 'abc' | last }} → c
    """
    return _end(value, -1)


def _end(value: Any, index: int) -> Any:
    items: Any = value if isinstance(value, str) else need_list(value)
    if isinstance(value, str) and not value:
        raise ExpressionError("the text is empty")
    return items[index] if items else None


@register_filter("join")
def join(run: Rendering, value: Any, separator: Any = "") -> str:
    """The items as text, with a separator in between.

    {{ inputs.numbers | join(', ') }} → 3, 1, 2
    """
    items = need_list(value)
    between = "" if separator is None else need_text(separator, "separator")
    run.budget.text(len(between) * len(items))
    size = 0
    parts: list[str] = []
    for item in items:
        text = to_text(item, run.budget)
        size += len(text)
        if size > run.budget.limits.output_chars:
            run.budget.text(size)
        parts.append(text)
    run.budget.text(size + len(between) * len(items))
    return between.join(parts)


@register_filter("length", takes_null=True)
def length(run: Rendering, value: Any) -> int:
    """The number of letters, items or entries; 0 for null and anything else.

    {{ inputs.numbers | length }} → 3
    {{ null | length }} → 0
    """
    if value is None:
        return 0
    if isinstance(value, str) or is_list(value) or is_map(value):
        return len(value)
    return 0


@register_filter("merge", takes_null=True)
def merge(run: Rendering, value: Any, items: Any) -> Any:
    """Two lists or two maps put together; where one is null, the other.

    {{ [1, 2] | merge([2, 3]) }} → [1,2,2,3]
    {{ {'a': 1} | merge({'b': 2}) }} → {"a":1,"b":2}
    """
    if value is None or items is None:
        if value is None and items is None:
            raise ExpressionError("both sides are null")
        return items if value is None else value
    if not (is_map(items) or is_list(items)):
        raise ExpressionError(f"`items` must be a list or a map, not {kind(items)}")
    run.budget.items(len(value) + len(items) if hasattr(value, "__len__") else 1)
    if is_map(value):
        return {**value, **(items if is_map(items) else {item: item for item in items})}
    more = [Entry(*pair) for pair in items.items()] if is_map(items) else list(items)
    return [*need_list(value), *more]


@register_filter("reverse")
def reverse(run: Rendering, value: Any) -> Any:
    """The items or letters from the last to the first.

    {{ inputs.numbers | reverse }} → [2,1,3]
    {{ 'abc' | reverse }} → cba
    """
    if isinstance(value, str):
        run.budget.text(len(value))
        return value[::-1]
    return _copied(run, value)[::-1]


@register_filter("sort")
def sort(run: Rendering, value: Any) -> list[Any]:
    """The items from the least to the greatest.

    {{ inputs.numbers | sort }} → [1,2,3]
    """
    return _sorted(run, value, False)


@register_filter("rsort")
def rsort(run: Rendering, value: Any) -> list[Any]:
    """The items from the greatest to the least.

    {{ inputs.numbers | rsort }} → [3,2,1]
    """
    return _sorted(run, value, True)


def _sorted(run: Rendering, value: Any, reverse: bool) -> list[Any]:
    items = _copied(run, value)
    if all(isinstance(item, str) for item in items):
        return sorted(items, reverse=reverse)
    if all(is_number(item) for item in items):
        return sorted(items, key=cmp_to_key(_compare), reverse=reverse)
    # Python would compare lists too, without an end for lists that share their parts.
    if all(isinstance(item, datetime) and item.tzinfo for item in items):
        return sorted(items, reverse=reverse)
    raise ExpressionError("only numbers, only texts or only dates can be sorted")


def _copied(run: Rendering, value: Any) -> list[Any]:
    items = need_list(value)
    run.budget.items(len(items))
    return list(items)


@register_filter("slice")
def slice_(run: Rendering, value: Any, fromIndex: Any = 0, toIndex: Any = None) -> Any:
    """A part of a text or list. Indexes count from 0; the end is not included.

    {{ 'abcdef' | slice(1, 3) }} → bc
    {{ inputs.numbers | slice(1) }} → [1,2]
    """
    items: Any = value if isinstance(value, str) else need_list(value)
    start = need_integer(0 if fromIndex is None else fromIndex, "fromIndex")
    end = len(items) if toIndex is None else need_integer(toIndex, "toIndex")
    if start < 0:
        raise ExpressionError("`fromIndex` must not be negative")
    if end > len(items):
        raise ExpressionError(f"`toIndex` must not be greater than the size, {len(items)}")
    if toIndex is not None and start >= end:
        raise ExpressionError("`toIndex` must be greater than `fromIndex`")
    if start > len(items):
        raise ExpressionError(f"`fromIndex` must not be greater than the size, {len(items)}")
    run.budget.items(min(end - start, run.budget.limits.items) if items is not value else 1)
    return items[start:end]


@register_filter("chunk")
def chunk(run: Rendering, value: Any, size: Any) -> list[list[Any]]:
    """The items in lists of at most `size` items each.

    {{ [1, 2, 3, 4, 5] | chunk(2) }} → [[1,2],[3,4],[5]]
    """
    step = need_integer(size, "size")
    if step < 1:
        raise ExpressionError("`size` must be at least 1")
    items = _copied(run, value)
    return [items[start : start + step] for start in range(0, len(items), step)]


@register_filter("flatten")
def flatten(run: Rendering, value: Any) -> list[Any]:
    """The items of the lists in a list, dissolved one level deep.

    {{ [[1, 2], [3, [4]]] | flatten }} → [1,2,3,[4]]
    """
    result: list[Any] = []
    for item in need_list(value):
        more = list(item) if is_list(item) else [item]
        run.budget.items(len(result) + len(more) - len(result))
        result.extend(more)
        if len(result) > run.budget.limits.items:
            run.budget.items(len(result))
    return result


@register_filter("distinct")
def distinct(run: Rendering, value: Any) -> list[Any]:
    """Every value once, in the order of the first.

    {{ ['b', 'a', 'b'] | distinct }} → ["b","a"]
    """
    result: list[Any] = []
    seen: set[tuple[type, Any]] = set()
    for item in _copied(run, value):
        if isinstance(item, str | int | float | bool | None):
            key = (type(item), item)
            if key not in seen:
                seen.add(key)
                result.append(item)
        elif not any(equals(run.budget, item, other) for other in result):
            result.append(item)
    return result


@register_filter("keys")
def keys(run: Rendering, value: Any) -> list[Any]:
    """The keys of a map; the indexes of a list.

    {{ outputs.measure | keys }} → ["Oslo","Lima"]
    {{ inputs.numbers | keys }} → [0,1,2]
    """
    items = value if is_map(value) else need_list(value)
    run.budget.items(len(items))
    return list(items) if is_map(items) else list(range(len(items)))


@register_filter("values")
def values(run: Rendering, value: Any) -> list[Any]:
    """The values of a map.

    {{ {'a': 1, 'b': 2} | values }} → [1,2]
    """
    if not is_map(value):
        raise ExpressionError(f"needs a map, not {kind(value)}")
    run.budget.items(len(value))
    return list(value.values())
