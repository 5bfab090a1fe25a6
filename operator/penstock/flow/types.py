"""The registry of task types: what a task's `type` may be, and how such a task is read.

The engine registers the flowable tasks, the runnable tasks register themselves; this room only
knows that both exist. Names are matched without regard to case, as Kestra does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from penstock.flow.known_types import Use, hint_for, is_known, may_exist, misplaced
from penstock.flow.model import as_details, is_lenient, unknown_property
from penstock.flow.task import RunnableTask, Task

TYPE_NOT_CARRIED = "type_not_carried"
"""The code of a problem that is no mistake: Kestra has the type, Penstock does not yet."""

UNKNOWN_TYPE = "unknown_type"
"""The code of a problem with a type that does not exist in Kestra either."""

PropertyCheck = Callable[[Mapping[str, Any]], object]
"""Validates a runnable task's own properties before they are rendered: expressions may stand
wherever a value may. Raises pydantic's ``ValidationError``."""


@dataclass(frozen=True)
class TaskType:
    """One type of task."""

    name: str
    aliases: tuple[str, ...] = ()
    model: type[Task] | str | None = None
    """The model of a task that the engine itself does or opens, or `module:Class` to import it from
    when a flow names it. None for a runnable task."""
    check: PropertyCheck | None = None
    """The check of a runnable task's own properties."""
    warnings: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] | None = None
    """Tells the properties that are accepted without effect, each with the reason."""
    plain_log: bool = False
    """Whether the task's log is what a program of the user's prints: lines without levels."""
    typed: frozenset[str] = frozenset()
    """The properties in which a single expression keeps its type."""
    unrendered: frozenset[str] = frozenset()
    """The properties that the task itself renders, with variables of its own."""
    deprecated: str | None = None
    """What to use in place of the type; None where it is not deprecated."""

    def read_model(self) -> type[Task] | None:
        """The model of the type, imported on its first use; None for a runnable task."""
        return _imported(self.model) if isinstance(self.model, str) else self.model


@cache
def _imported(source: str) -> type[Task]:
    module, _, name = source.partition(":")
    model: type[Task] = getattr(import_module(module), name)
    return model


@dataclass
class TaskTypes:
    """All task types that a flow may name."""

    further: Callable[[], Iterable[TaskType]] | None = None
    """Gives types that are looked for only where none of the others has a name."""
    _by_name: dict[str, TaskType] = field(default_factory=dict)
    _canonical: dict[str, str] = field(default_factory=dict)

    def register(self, task_type: TaskType) -> None:
        for name in (task_type.name, *task_type.aliases):
            self._by_name[name.lower()] = task_type
        self._canonical[task_type.name.lower()] = task_type.name

    def __iter__(self) -> Iterator[TaskType]:
        self._look_further()
        return iter(self._by_name[name] for name in self._canonical)

    def find(self, name: str) -> TaskType | None:
        if name.lower() not in self._by_name:
            self._look_further()
        return self._by_name.get(name.lower())

    def copy(self) -> TaskTypes:
        """Give a copy of the types, to which others may be added."""
        return TaskTypes(self.further, dict(self._by_name), dict(self._canonical))

    def _look_further(self) -> None:
        further, self.further = self.further, None
        for task_type in further() if further is not None else ():
            if self._by_name.keys().isdisjoint(
                map(str.lower, (task_type.name, *task_type.aliases))
            ):
                self.register(task_type)

    def read(self, value: Any, context: Any) -> Task:
        """Read one task. Raises ``ValidationError`` with every problem in it."""
        if not isinstance(value, dict):
            raise _error("task_type", "a task is a map with `id` and `type`", (), value)
        name = value.get("type")
        if name is None:
            raise _error("missing", "a task needs a `type`", ("type",), value)
        task_type = self.find(name) if isinstance(name, str) else None
        model = task_type.read_model() if task_type is not None else None
        if is_lenient(context) and model is None:
            return _as_it_is(task_type.name if task_type else str(name), value)
        if task_type is None:
            return _read_unknown(str(name), value, context)
        if model is not None:
            return model.model_validate(value, context=context)
        return _read_runnable(task_type, value, context)


def type_problem(name: str, use: Use) -> tuple[str, str]:
    """The code and the message for a type that is not served in a place."""
    wrong = misplaced(name, use) if is_known(name) else None
    if wrong is not None:
        return UNKNOWN_TYPE, wrong
    hint = hint_for(name, use) if not is_known(name) else ""
    if may_exist(name):
        return TYPE_NOT_CARRIED, f"the {use} type `{name}` is not served by Penstock yet{hint}"
    return UNKNOWN_TYPE, f"no {use} type `{name}`{hint}"


def _read_unknown(name: str, value: dict[str, Any], context: Any) -> Task:
    """Refuse a task of a type that is not served. Raises ``ValidationError`` with every problem in
    it."""
    value = {**value, "type": name}
    code, message = type_problem(name, "task")
    errors = as_details(_error(code, message, ("type",), value))
    try:
        _shared(value, context)
    except ValidationError as error:
        errors += as_details(error)
    raise ValidationError.from_exception_data("task", errors)


def _as_it_is(name: str, value: dict[str, Any]) -> RunnableTask:
    """A task that may have any fault, for the checks of the flow around it."""
    own = {key: item for key, item in value.items() if key not in RunnableTask.shared_names()}
    return RunnableTask.model_construct(id=str(value.get("id") or ""), type=name, properties=own)


def _shared(value: dict[str, Any], context: Any) -> RunnableTask:
    """The shared properties of a task that may have more."""
    shared = RunnableTask.shared_names()
    return RunnableTask.model_validate(
        {key: item for key, item in value.items() if key in shared}, context=context
    )


def _read_runnable(task_type: TaskType, value: dict[str, Any], context: Any) -> Task:
    shared = RunnableTask.shared_names()
    own = {key: item for key, item in value.items() if key not in shared}
    errors: list[InitErrorDetails] = []
    task: RunnableTask | None = None
    try:
        task = _shared(value, context)
    except ValidationError as error:
        errors += as_details(error)
    if task_type.check is not None:
        try:
            task_type.check(own)
        except ValidationError as error:
            errors += [_with_shared_hint(detail) for detail in as_details(error)]
    if errors or task is None:
        raise ValidationError.from_exception_data(task_type.name, errors)
    rendering = {"typed": task_type.typed, "unrendered": task_type.unrendered}
    return task.model_copy(update={"type": task_type.name, "properties": own, **rendering})


def _with_shared_hint(detail: InitErrorDetails) -> InitErrorDetails:
    """An error for an unknown property, with a hint where it is near one that all tasks have."""
    kind, place = detail["type"], detail.get("loc", ())
    if not isinstance(kind, PydanticCustomError) or kind.type != "unknown_property":
        return detail
    if len(place) != 1 or "did you mean" in kind.message():
        return detail
    return unknown_property(place[0], Task.property_names(), detail["input"])


def _error(kind: str, message: str, at: tuple[str | int, ...], value: Any) -> ValidationError:
    custom = PydanticCustomError(kind, "{reason}", {"reason": message})
    return ValidationError.from_exception_data(
        "task", [InitErrorDetails(type=custom, loc=at, input=value)]
    )
