"""Warnings for names that Kestra has replaced and still takes: each says the name of today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.flow.known_types import is_known
from penstock.flow.problems import Location, Problem
from penstock.flow.types import TaskTypes

_CORE = "io.kestra.plugin.core."
_TRIGGERS = "io.kestra.core.models.triggers.types."
_CONDITIONS = ("io.kestra.core.models.conditions.types.", f"{_CORE}condition.")
_CONDITIONS_TODAY = {
    "FlowCondition": "FlowCondition",
    "FlowNamespaceCondition": "FlowNamespaceCondition",
    "MultipleCondition": "MultipleCondition",
    "VariableCondition": "Expression",
}
"""Conditions of which the name of today is not the old one without `Condition`."""
_HOLDERS = (
    "tasks", "errors", "finally", "afterExecution", "triggers", "pluginDefaults", "taskDefaults",
)  # fmt: skip


def old_names(document: Mapping[str, Any], types: TaskTypes) -> Iterator[Problem]:
    """A warning for each old name in a flow as it is written."""
    if document.get("taskDefaults") is not None:
        yield _old(("taskDefaults",), "taskDefaults", "pluginDefaults")
    inputs = document.get("inputs")
    for index, declared in enumerate(inputs if isinstance(inputs, list) else ()):
        if isinstance(declared, Mapping) and "name" in declared and "id" not in declared:
            yield _old(("inputs", index, "name"), "name", "id")
    for holder in _HOLDERS:
        yield from _old_types(document.get(holder), (holder,), types)


def _old_types(value: Any, at: Location, types: TaskTypes) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _old_types(item, (*at, index), types)
    elif isinstance(value, Mapping):
        name = value.get("type")
        today = name_today(name, types) if isinstance(name, str) else None
        if today is not None:
            yield _old((*at, "type"), str(name), today)
        for key, item in value.items():
            yield from _old_types(item, (*at, str(key)), types)


def name_today(name: str, types: TaskTypes) -> str | None:
    """The name that a type has today; None where it has no other."""
    found = types.find(name)
    if found is not None:  # a type that is deprecated under every name has a warning of its own
        old = found.deprecated is None and found.name.lower() != name.lower()
        return found.name if old else None
    if name.startswith(_TRIGGERS):
        return _known(f"{_CORE}trigger.{name.removeprefix(_TRIGGERS)}")
    if name.startswith(_CONDITIONS) and name.endswith("Condition"):
        kind = name.rpartition(".")[2]
        today = _known(f"{_CORE}condition.{_CONDITIONS_TODAY.get(kind, kind[: -len('Condition')])}")
        return today if today != name else None
    return None


def _known(name: str) -> str | None:
    return name if is_known(name) else None


def _old(at: Location, name: str, today: str) -> Problem:
    message = f"`{name}` is an old name; write `{today}`"
    return Problem(at, message, code="deprecated", warning=True)
