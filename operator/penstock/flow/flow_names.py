"""The names that a flow has: its inputs, tasks, variables and labels, as expressions see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from penstock.flow.inputs import InputType, nest
from penstock.flow.model import is_expression
from penstock.flow.types import TaskTypes

Path = tuple[str | int, ...]
"""A root variable and the keys behind it."""

TASK_HOLDERS = ("tasks", "errors", "finally", "afterExecution")
"""The properties of a flow that hold tasks."""
_INPUT_TYPES = frozenset(get_args(InputType))
_PARTS_OF_FOR_EACH_ITEM = ("_split", "_items", "_merge")


@dataclass
class FlowNames:
    """The names that a flow has, by root variable; a root that is left out may hold anything."""

    by_root: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def level(self, path: Path) -> Mapping[str, Any] | None:
        """The names below a path; None where they are known only when the flow runs."""
        value: Any = self.by_root.get(str(path[0]))
        for key in path[1:]:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value if isinstance(value, Mapping) else None


def names_of(document: Mapping[str, Any], types: TaskTypes) -> FlowNames:
    """The names of a flow as it is written, valid or not."""
    names = FlowNames({"inputs": _inputs_of(document)})
    tasks = _tasks_of(document, types)
    if tasks is not None:
        names.by_root |= {"outputs": tasks, "tasks": tasks}
    variables = _variables_of(document, types)
    if variables is not None:
        names.by_root["vars"] = variables
    labels = document.get("labels")
    if isinstance(labels, Mapping):
        names.by_root["labels"] = nest({str(key): None for key in labels})
    return names


def _tasks_of(document: Mapping[str, Any], types: TaskTypes) -> Mapping[str, Any] | None:
    """The tasks at any depth, also of types that are not served; None where a template brings
    others along."""
    ids: dict[str, Any] = {}
    for holder in TASK_HOLDERS:
        for task in filter(is_task, _maps(document.get(holder))):
            kind = _canonical(task["type"], types)
            if kind.endswith(".flow.Template"):
                return None
            ids[str(task["id"])] = None
            if kind.endswith(".ForEachItem"):
                ids |= {f"{task['id']}{part}": None for part in _PARTS_OF_FOR_EACH_ITEM}
    return ids


def is_task(value: Mapping[str, Any]) -> bool:
    """Whether a map is a task: anything else with an id and a type is an input or an output."""
    name, kind = value.get("id"), value.get("type")
    return isinstance(name, str | int) and isinstance(kind, str) and kind not in _INPUT_TYPES


def _inputs_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The declared inputs, and those that a trigger gives, which need no declaration in Kestra."""
    declared = dict.fromkeys(input_ids(document.get("inputs")))
    for trigger in _maps(document.get("triggers")):
        given = trigger.get("inputs")
        if isinstance(given, Mapping):
            declared |= dict.fromkeys(map(str, given))
    return nest(declared)


def input_ids(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else ():
        name = (item.get("id") or item.get("name")) if isinstance(item, Mapping) else None
        if isinstance(name, str | int):
            yield str(name)


def _variables_of(document: Mapping[str, Any], types: TaskTypes) -> Mapping[str, Any] | None:
    """The flow's variables and those that tasks set; None where a task sets names that are known
    only when it runs."""
    own = document.get("variables")
    variables = dict(own) if isinstance(own, Mapping) else {}
    for holder in TASK_HOLDERS:
        for found in _maps(document.get(holder)):
            if not _canonical(str(found.get("type")), types).endswith(".SetVariables"):
                continue
            added = found.get("variables")
            if not isinstance(added, Mapping) or any(map(is_expression, added)):
                return None
            # What a task sets is merged into what is there: below it anything may be.
            variables |= dict.fromkeys(added)
    return variables


def _canonical(kind: str, types: TaskTypes) -> str:
    found = types.find(kind)
    return found.name if found is not None else kind


def _maps(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for item in value.values():
            yield from _maps(item)
    elif isinstance(value, list):
        for item in value:
            yield from _maps(item)
