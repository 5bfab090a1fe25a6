"""A check of the types that a flow names outside of its tasks: triggers, conditions, plugin
objects.

Whether a trigger is served is not asked here: one that is not served is a warning, and the flow can
still be started otherwise. A type that does not exist anywhere refuses the flow, as in Kestra.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.flow.document import Flow
from penstock.flow.known_types import Use, is_known, may_exist, misplaced
from penstock.flow.problems import Location, Problem
from penstock.flow.task import RunnableTask, Task
from penstock.flow.types import UNKNOWN_TYPE, type_problem

_PLUGINS = frozenset(
    {
        "provider", "chatProvider", "embeddingProvider", "embeddings", "embeddingStoreProvider",
        "tools", "contentRetrievers", "memory", "generator",
    }
)  # fmt: skip
"""Properties that hold objects of plugins, each with a `type` of its own."""


def unknown_types(flow: Flow, located: list[tuple[Location, Task]]) -> Iterator[Problem]:
    """A problem for each type that does not exist, besides those of tasks."""
    for index, trigger in enumerate(flow.triggers):
        at: Location = ("triggers", index)
        yield from _unknown(trigger.type, "trigger", at)
        yield from _conditions(trigger.properties.get("conditions"), (*at, "conditions"))
    for at, task in located:
        if isinstance(task, RunnableTask):
            yield from _plugins(task.properties, at)


def _conditions(value: Any, at: Location) -> Iterator[Problem]:
    """Check the types of conditions, which stand in a list or in a map by their names; some hold
    others."""
    for place, condition in _items(value):
        here = (*at, place)
        if isinstance(condition, Mapping):
            if isinstance(condition.get("type"), str):
                yield from _unknown(condition["type"], "condition", here)
            yield from _conditions(condition.get("conditions"), (*here, "conditions"))


def _plugins(properties: Mapping[str, Any], at: Location) -> Iterator[Problem]:
    for name in _PLUGINS & properties.keys():
        value = properties[name]
        single = isinstance(value, Mapping)
        for place, plugin in [(None, value)] if single else _items(value):
            here = (*at, name) if place is None else (*at, name, place)
            if isinstance(plugin, Mapping) and str(plugin.get("type")).startswith("io.kestra."):
                yield from _unknown(plugin["type"], "plugin", here)


def _items(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _unknown(name: str, use: Use, at: Location) -> Iterator[Problem]:
    if (is_known(name) and misplaced(name, use)) or not may_exist(name):
        _, message = type_problem(name, use)
        yield Problem((*at, "type"), message, code=UNKNOWN_TYPE)
