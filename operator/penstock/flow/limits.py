"""How large a flow may be: what is larger has no place in a status, or would take a stack without
end. A file and a resource are judged alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from penstock.flow.problems import Location, Problem
from penstock.nesting import is_deeper

MAX_LEVELS = 120
"""The most levels of maps and lists in a flow; each task within another takes two. Deeper ones
would meet Python's own limit."""
MAX_TRIGGERS = 200
"""The most triggers of a flow: its status tells of each."""
_SHOWN = 4
"""Parts of a place that are shown where it is nested too deep."""


def too_deep(at: Location, line: int | None = None) -> Problem:
    """Say of a value at some place that it is nested too deep."""
    message = (
        f"maps and lists are nested deeper than {MAX_LEVELS} levels; a task within another takes "
        "two. Move the inner tasks into a flow of their own, and call it with a Subflow"
    )
    return Problem(at[:_SHOWN], message, code="too_deep", line=line)


def check_depth(document: Any) -> Problem | None:
    """Say where a document is nested too deep; None where it is not."""
    return too_deep(_deepest(document)) if is_deeper(document, MAX_LEVELS) else None


def check_triggers(triggers: Sequence[Any]) -> Iterator[Problem]:
    """Refuse more triggers than the status of a flow has room for."""
    if len(triggers) > MAX_TRIGGERS:
        message = (
            f"a flow has at most {MAX_TRIGGERS} triggers, and this one has {len(triggers)}. Give "
            "the others to further flows that call this one with a Subflow"
        )
        yield Problem(("triggers",), message, code="too_many")


def _deepest(document: Any) -> Location:
    """The first place of a document that is nested too deep. It takes no stack."""
    waiting: list[tuple[Location, Any]] = [((), document)]
    while waiting:
        at, value = waiting.pop()
        if len(at) > MAX_LEVELS:
            return at
        if isinstance(value, dict):
            inner = [((*at, str(key)), item) for key, item in value.items()]
        else:
            inner = [((*at, index), item) for index, item in enumerate(value)]
        waiting += reversed([item for item in inner if isinstance(item[1], dict | list)])
    return ()
