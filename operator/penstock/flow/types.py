"""The registry of task types: what a task's `type` may be, and how such a task is read.

The engine registers the flowable tasks, the runnable tasks register themselves; this room only
knows that both exist. Names are matched without regard to case, as Kestra does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from penstock.flow.model import as_details, did_you_mean, unknown_property
from penstock.flow.task import RunnableTask, Task

TYPE_NOT_CARRIED = "type_not_carried"
"""The code of a problem that is no mistake: Kestra has the type, Penstock does not yet."""

_NEAR = 0.8
_KESTRA_ONLY = frozenset({"foreachitem"})
"""Types of Kestra's that are no slip of the pen although their names are near to served ones."""

PropertyCheck = Callable[[Mapping[str, Any]], object]
"""Validates a runnable task's own properties before they are rendered: expressions may stand
wherever a value may. Raises pydantic's ``ValidationError``."""


@dataclass(frozen=True)
class TaskType:
    """One type of task."""

    name: str
    aliases: tuple[str, ...] = ()
    model: type[Task] | None = None
    """The model of a task that the engine itself does or opens; None for a runnable one."""
    check: PropertyCheck | None = None
    """Checks the own properties of a runnable task."""
    warnings: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] | None = None
    """Properties that are accepted and have no effect, each with the reason."""
    not_served: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] | None = None
    """What runs on a machine and not on a cluster yet, by the property, each with the reason."""
    typed: frozenset[str] = frozenset()
    """Properties of which a single expression keeps its type."""
    unrendered: frozenset[str] = frozenset()
    """Properties that the task itself renders, with variables of its own."""
    deprecated: str | None = None
    """What to use in its place; None for a type that is not deprecated."""


@dataclass
class TaskTypes:
    """All the types that a flow may name."""

    _by_name: dict[str, TaskType] = field(default_factory=dict)
    _canonical: dict[str, str] = field(default_factory=dict)

    def register(self, task_type: TaskType) -> None:
        for name in (task_type.name, *task_type.aliases):
            self._by_name[name.lower()] = task_type
        self._canonical[task_type.name.lower()] = task_type.name

    def __iter__(self) -> Iterator[TaskType]:
        return iter(self._by_name[name] for name in self._canonical)

    def find(self, name: str) -> TaskType | None:
        return self._by_name.get(name.lower())

    def read(self, value: Any, context: Any) -> Task:
        """Read one task. Raises ``ValidationError`` with every problem in it."""
        if not isinstance(value, dict):
            raise _error("task_type", "a task is a map with `id` and `type`", (), value)
        name = value.get("type")
        if name is None:
            raise _error("missing", "a task needs a `type`", ("type",), value)
        task_type = self.find(name) if isinstance(name, str) else None
        if task_type is None:
            raise self._unknown(str(name), value)
        if task_type.model is not None:
            return task_type.model.model_validate(value, context=context)
        return _read_runnable(task_type, value, context)

    def _unknown(self, name: str, value: Any) -> ValidationError:
        near = next((known.name for known in self if _is_near(name, known.name)), None)
        if near is None and is_kestra_plugin(name):
            message = f"the task type `{name}` is not served by Penstock yet"
            return _error(TYPE_NOT_CARRIED, message, ("type",), value)
        hint = f"; did you mean `{near}`?" if near else did_you_mean(name, self._names())
        return _error("unknown_type", f"no task type `{name}`{hint}", ("type",), value)

    def _names(self) -> list[str]:
        return [known.name for known in self]


def _is_near(name: str, known: str) -> bool:
    """A slip of the pen: Kestra's names share long beginnings, so each part has to be near."""
    parts, others = name.lower().split("."), known.lower().split(".")
    if parts[-1] in _KESTRA_ONLY:
        return False
    return len(parts) == len(others) and all(
        abs(len(part) - len(other)) <= 2 and SequenceMatcher(None, part, other).ratio() > _NEAR
        for part, other in zip(parts, others, strict=True)
    )


def is_kestra_plugin(name: str) -> bool:
    """Whether a name is in the space of Kestra's own and third-party plugins."""
    return name.lower().startswith(("io.kestra.plugin.", "io.kestra.core.tasks."))


def _read_runnable(task_type: TaskType, value: dict[str, Any], context: Any) -> Task:
    shared = RunnableTask.shared_names()
    own = {key: item for key, item in value.items() if key not in shared}
    errors: list[InitErrorDetails] = []
    task: RunnableTask | None = None
    try:
        task = RunnableTask.model_validate(
            {key: item for key, item in value.items() if key in shared}, context=context
        )
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
    """An unknown property of a task may be a slip in one that all tasks have."""
    kind, place = detail["type"], detail.get("loc", ())
    if not isinstance(kind, PydanticCustomError) or kind.type != "unknown_property":
        return detail
    if len(place) != 1 or "did you mean" in kind.message():
        return detail
    return unknown_property(place[0], RunnableTask.property_names(), detail["input"])


def _error(kind: str, message: str, at: tuple[str | int, ...], value: Any) -> ValidationError:
    custom = PydanticCustomError(kind, "{reason}", {"reason": message})
    return ValidationError.from_exception_data(
        "task", [InitErrorDetails(type=custom, loc=at, input=value)]
    )
