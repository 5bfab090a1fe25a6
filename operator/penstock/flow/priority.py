"""The priority of an execution among those of its namespace that wait for a slot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRIORITY_LABEL = "penstock.dev/priority"
"""A label of a flow, or of an execution: the priority where the execution's spec gives none."""
LEAST_PRIORITY = -1000
GREATEST_PRIORITY = 1000
DEFAULT_PRIORITY = 0


def priority_of(spec: Mapping[str, Any], labels: Mapping[str, Any]) -> int:
    """Tell the priority of an execution by its spec and its labels, as JSON values."""
    asked = spec.get("priority")
    given = asked if asked is not None else labels.get(PRIORITY_LABEL)
    found = None if given is None else read_priority(str(given))
    return DEFAULT_PRIORITY if found is None else found


def read_priority(text: str) -> int | None:
    """Read a priority; None where the text is none."""
    try:
        value = int(text)
    except ValueError:
        return None
    return value if LEAST_PRIORITY <= value <= GREATEST_PRIORITY else None
