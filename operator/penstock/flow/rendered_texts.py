"""The texts of a flow that are rendered, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.flow.flow_names import TASK_HOLDERS, input_ids, is_task
from penstock.flow.known_types import use_of
from penstock.flow.model import is_expression
from penstock.flow.problems import Location
from penstock.flow.types import TaskTypes

_DEFAULTS = ("pluginDefaults", "taskDefaults")
_HOLDERS = ("inputs", *_DEFAULTS, *TASK_HOLDERS, "outputs", "sla", "checks", "triggers")
_NOT_RENDERED = frozenset({"id", "type", "description", "displayName"})
_ASKED_FOR = frozenset({"onResume", "inputs"})
"""Properties that hold inputs which a task asks for."""
_COMPARED_KEYS = "cases"
"""The property of a Switch whose keys are compared as they are written."""
_OF_ANOTHER_EXECUTION = "outputs"
"""The property of a Subflow whose expressions see the execution that it made."""


@dataclass(frozen=True)
class RenderedText:
    """A text with expressions, and its place in the flow."""

    value: str
    at: Location
    task: str | None
    inputs: frozenset[str] = frozenset()
    """Inputs that a task asks for, where their own expressions see them."""

    @property
    def of_task(self) -> str:
        """The end of a message that says of which task the text is; empty where it is of none."""
        return f" (task `{self.task}`)" if self.task else ""

    @property
    def of_a_trigger(self) -> bool:
        """Whether the text is of a trigger: it sees an execution of another flow, or none."""
        return self.at[0] == "triggers"


def texts_of(document: Mapping[str, Any], types: TaskTypes) -> Iterator[RenderedText]:
    """Every text of a flow with expressions that see the flow's own variables."""
    return _texts_of(document, types)


def all_texts_of(document: Mapping[str, Any]) -> Iterator[RenderedText]:
    """Every text of a flow with expressions, whatever they see, but for what Kestra never
    renders."""
    return _texts_of(document, None)


def _texts_of(document: Mapping[str, Any], types: TaskTypes | None) -> Iterator[RenderedText]:
    for holder in _HOLDERS:
        root = RenderedText("", (holder,), None)
        yield from _texts(document.get(holder), root, types)


def _texts(value: Any, place: RenderedText, types: TaskTypes | None) -> Iterator[RenderedText]:
    """The texts and keys with expressions below a place, without those of disabled tasks.

    Where types are given, texts that see other variables than the flow's are left out too.
    """
    if is_expression(value):
        yield RenderedText(value, place.at, place.task, place.inputs)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, _below(place, index), types)
    elif isinstance(value, Mapping):
        kind = value.get("type")
        left_out: frozenset[str] = frozenset()
        if isinstance(kind, str):
            if value.get("disabled") is True:
                return
            if types is not None and _is_of_a_trigger(kind, place):
                return
            place = RenderedText("", place.at, _task_of(value, place), place.inputs)
            left_out = _NOT_RENDERED | (_seen_by_others(kind, types) if types else frozenset())
        for key, item in value.items():
            if key in left_out:
                continue
            below = _below(place, str(key), item)
            if is_expression(key) and place.at[-1] != _COMPARED_KEYS:
                yield RenderedText(key, below.at, place.task, place.inputs)
            yield from _texts(item, below, types)


def _below(place: RenderedText, key: str | int, item: Any = None) -> RenderedText:
    asked = frozenset(input_ids(item)) if key in _ASKED_FOR else frozenset()
    return RenderedText("", (*place.at, key), place.task, place.inputs | asked)


def _is_of_a_trigger(kind: str, place: RenderedText) -> bool:
    """Whether a plugin default is for triggers, whose expressions see another execution."""
    return place.at[0] in _DEFAULTS and use_of(kind) in ("trigger", "condition")


def _task_of(value: Mapping[str, Any], place: RenderedText) -> str | None:
    in_tasks = place.at[0] in TASK_HOLDERS
    return str(value["id"]) if in_tasks and is_task(value) else place.task


def _seen_by_others(kind: str, types: TaskTypes) -> frozenset[str]:
    """The properties of a type whose expressions see variables of their own."""
    task_type = types.find(kind)
    if task_type is None:
        return frozenset()
    if task_type.name.endswith(".Subflow"):
        return task_type.unrendered | {_OF_ANOTHER_EXECUTION}
    if task_type.name.endswith("execution.Count"):
        return task_type.unrendered | {"expression"}
    return task_type.unrendered
