"""What a path reaches in a value: keys of maps, indexes of lists, the two parts of an entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.expressions.values import Entry

MISSING = object()
"""There is nothing of this name."""


def member(value: Any, key: Any) -> Any:
    """What stands below a key or index of a value, or MISSING."""
    if isinstance(value, dict):  # the usual case first
        return entry(value, key)
    if isinstance(value, Entry):
        return {"key": value.key, "value": value.value}.get(key, MISSING)
    if isinstance(value, list | tuple):
        try:
            index = int(key) if not isinstance(key, bool | float) else -1
        except (TypeError, ValueError):
            return MISSING
        return value[index] if 0 <= index < len(value) else MISSING
    if isinstance(value, Mapping):
        return entry(value, key)
    return MISSING


def entry(value: Mapping[Any, Any], key: Any) -> Any:
    """The value of a key in a map, or MISSING. Keys come from JSON and are text; a number finds the
    key that is written like it."""
    if isinstance(key, list | dict | set | tuple):
        return MISSING
    try:
        return value[key]
    except KeyError:
        if isinstance(key, int) and not isinstance(key, bool):
            try:
                return value[str(key)]
            except KeyError:
                return MISSING
        return MISSING
