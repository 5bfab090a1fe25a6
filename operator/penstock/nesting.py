"""How deep values may be nested. Standard library only: pods import this.

What reads or writes JSON calls itself for each level: the standard library gives up at a thousand
levels, pydantic at 255, and neither says so to whoever made the value. The API server takes 10,000.
So what comes from outside is measured where it is read, and refused in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

MAX_NESTING = 100
"""Levels of lists and maps in a value that a task, an Execution or a KeyValue gives."""
TOO_DEEP = f"nested deeper than {MAX_NESTING} levels"


def is_deeper(value: Any, levels: int = MAX_NESTING) -> bool:
    """Whether lists and maps stand in each other more than so many times. It takes no stack, and
    time for each value that it comes by."""
    level = [value]
    for _ in range(levels):
        level = [item for item in chain.from_iterable(map(_items, level)) if _holds(item)]
        if not level:
            return False
    return any(map(_holds, level))


def deep_name(values: Mapping[str, Any] | None) -> str | None:
    """Name one of several values that is nested too deep; None where none is."""
    return next((str(name) for name, item in (values or {}).items() if is_deeper(item)), None)


def _holds(value: Any) -> bool:
    return isinstance(value, dict | list)


def _items(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
