"""Runnable tasks as the controller sees them: how they are checked, and what they run.

A task type is added by a definition (:mod:`penstock.tasks.contract.definition`), not here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from penstock.storage.uris import is_uri
from penstock.tasks.contract.definition import TaskDefinition, imported
from penstock.tasks.contract.installed import find, foreign_definitions, own_definitions
from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import RIGHTS, Container, TaskFailure
from penstock.tasks.core.templated import TEMPLATED, inner_task

if TYPE_CHECKING:
    from penstock.flow.types import TaskType, TaskTypes

TASK_VARIABLE = "PENSTOCK_TASK"
"""Holds a core task in the environment of its pod."""


class Surroundings(Protocol):
    """What a core task is told of the world before it runs in a pod."""

    @property
    def origin(self) -> Origin: ...

    def snapshot(self, use: PairUse) -> Mapping[str, Any]:
        """The key-value pairs that it needs. Raises :class:`TaskFailure`."""


def register(types: TaskTypes) -> None:
    """Make every runnable task of Penstock's own known."""
    for definition in own_definitions():
        types.register(_task_type(definition))


def foreign_types() -> Iterable[TaskType]:
    """The runnable tasks that other distributions bring."""
    return [_task_type(definition) for definition in foreign_definitions()]


def _task_type(definition: TaskDefinition) -> TaskType:
    from penstock.flow.types import TaskType

    silent = definition.warnings is None and not definition.without_effect
    return TaskType(
        definition.name,
        definition.aliases,
        check=partial(_check, definition),
        warnings=None if silent else partial(_warnings, definition),
        plain_log=definition.is_script,
        typed=frozenset(definition.typed),
        unrendered=frozenset(definition.unrendered),
        deprecated=definition.deprecated,
    )


def container(
    task_type: str, properties: Mapping[str, Any], around: Surroundings | None = None
) -> Container:
    """What one attempt runs, from rendered properties.

    Raises :class:`TaskFailure` with a message that names the property where one is of the wrong
    type: the attempt then fails without a Job.
    """
    from penstock.tasks.registry.properties import read

    definition = find(task_type)
    if definition is None:
        raise TaskFailure(f"no runnable task has the type `{task_type}`")
    if definition.name == TEMPLATED:
        return container(*inner_task(read(definition.load(), properties).spec), around)
    if definition.container is None:
        return _program_container(definition, properties, around)
    given: Any = read(definition.load(), definition.spelled(properties))
    made = imported(definition.container)(definition.name, given)
    assert isinstance(made, Container)
    return made


def is_script(task_type: str) -> bool:
    """Whether a task of that type runs in the user's image."""
    definition = find(task_type)
    return definition is not None and definition.is_script


def _program_container(
    definition: TaskDefinition, properties: Mapping[str, Any], around: Surroundings | None
) -> Container:
    """The container in which Penstock's own program runs the task."""
    from penstock.tasks.registry.properties import read, write

    needs, given = definition.needs, definition.spelled(properties)
    made: Any = read(definition.load(), given, packed=True)
    task = {"type": definition.name, "properties": write(made)}
    use: PairUse | None = None
    if around is not None and hasattr(made, "pair_use"):
        use = made.pair_use(around.origin)
        task["pairs"] = around.snapshot(use)
    storage = "files" in needs or ("uris" in needs and _has_uris(task["properties"]))
    if around is not None and (use is not None or needs):
        task["origin"] = asdict(around.origin)
    text = json.dumps(task, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > 1024 * 1024 - 4096:
        raise TaskFailure("the task's properties are larger than 1 MiB")
    return Container(
        ("-m", "penstock.tasks.pod.main"),
        runtime=definition.runtime,
        env={TASK_VARIABLE: text},
        storage=storage,
        rights=tuple(need for need in needs if need in RIGHTS),
        pairs=use,
    )


def _has_uris(value: Any) -> bool:
    """Whether a property may name a file of the storage."""
    if isinstance(value, Mapping):
        return any(map(_has_uris, value.values()))
    if isinstance(value, list):
        return any(map(_has_uris, value))
    return isinstance(value, str) and is_uri(value)


def _warnings(
    definition: TaskDefinition, properties: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for path in definition.without_effect:
        value: Any = properties
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            yield path, f"`{path}` has no effect"
    if definition.warnings is not None:
        yield from imported(definition.warnings)(properties)


def _check(definition: TaskDefinition, properties: Mapping[str, Any]) -> None:
    """Check properties as they are written. Raises ``ValidationError`` with all that is wrong."""
    from pydantic import ValidationError

    from penstock.flow.model import as_details
    from penstock.tasks.registry.properties import check

    errors, rest = [], properties
    if definition.check is not None:
        errors, rest = imported(definition.check)(properties)
    try:
        check(definition.load(), definition.spelled(rest))
    except ValidationError as error:
        errors = [*errors, *as_details(error)]
    if errors:
        raise ValidationError.from_exception_data(definition.name, errors)
