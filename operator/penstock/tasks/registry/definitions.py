"""The runnable tasks as the controller sees them: how they are checked, and what they run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol

from penstock.storage.uris import is_uri
from penstock.tasks.contract.core_types import CORE_TYPES, CoreType, core_type
from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import RIGHTS, Container, TaskFailure
from penstock.tasks.core.templated import TEMPLATED, inner_task

if TYPE_CHECKING:
    from penstock.flow.types import TaskTypes

TASK_VARIABLE = "PENSTOCK_TASK"
"""Holds a core task in the environment of its pod."""


class Surroundings(Protocol):
    """What a core task is told of the world before it runs in a pod."""

    @property
    def origin(self) -> Origin: ...

    def snapshot(self, use: PairUse) -> Mapping[str, Any]:
        """The key-value pairs that it needs. Raises :class:`TaskFailure`."""


def register(types: TaskTypes) -> None:
    """Make every runnable task known."""
    from penstock.flow.types import TaskType
    from penstock.tasks.scripts.languages import script_names

    for core in CORE_TYPES:
        types.register(
            TaskType(
                core.name,
                core.aliases,
                check=partial(_check_core, core),
                warnings=partial(_without_effect, core) if core.without_effect else None,
                typed=frozenset(core.typed),
                unrendered=frozenset(core.unrendered),
            )
        )
    for name, deprecated in script_names():
        types.register(
            TaskType(
                name,
                check=partial(_check_script, name),
                warnings=_script_warnings,
                plain_log=True,
                deprecated=deprecated,
            )
        )


def container(
    task_type: str, properties: Mapping[str, Any], around: Surroundings | None = None
) -> Container:
    """What one attempt runs, from rendered properties.

    Raises :class:`TaskFailure` with a message that names the property where one is of the wrong
    type: the attempt then fails without a Job.
    """
    from penstock.tasks.registry.properties import read

    core = core_type(task_type)
    if core is not None and core.name == TEMPLATED:
        return container(*inner_task(read(core.load(), properties).spec), around)
    if core is not None:
        return _core_container(core, properties, around)
    from penstock.tasks.scripts.definition import script_container

    script = _scripts().get(task_type.lower())
    if script is None:
        raise TaskFailure(f"no runnable task has the type `{task_type}`")
    return script_container(script, read(script.task, _canonical(properties)))


def is_script(task_type: str) -> bool:
    """Whether a task of that type runs in the user's image."""
    return task_type.lower() in _scripts()


def _core_container(
    core: CoreType, properties: Mapping[str, Any], around: Surroundings | None
) -> Container:
    from penstock.tasks.registry.properties import read, write

    made: Any = read(core.load(), properties, packed=True)
    task = {"type": core.name, "properties": write(made)}
    use: PairUse | None = None
    if around is not None and hasattr(made, "pair_use"):
        use = made.pair_use(around.origin)
        task["pairs"] = around.snapshot(use)
    storage = "files" in core.needs or ("uris" in core.needs and _has_uris(task["properties"]))
    if around is not None and (use is not None or core.needs):
        task["origin"] = asdict(around.origin)
    text = json.dumps(task, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > 1024 * 1024 - 4096:
        raise TaskFailure("the task's properties are larger than 1 MiB")
    return Container(
        ("-m", "penstock.tasks.pod.main"),
        env={TASK_VARIABLE: text},
        storage=storage,
        rights=tuple(need for need in core.needs if need in RIGHTS),
        pairs=use,
    )


def _has_uris(value: Any) -> bool:
    """Whether a property may name a file of the storage."""
    if isinstance(value, Mapping):
        return any(map(_has_uris, value.values()))
    if isinstance(value, list):
        return any(map(_has_uris, value))
    return isinstance(value, str) and is_uri(value)


def _without_effect(core: CoreType, properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path in core.without_effect:
        value: Any = properties
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            yield path, f"`{path}` has no effect"


def _script_warnings(properties: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    from penstock.tasks.scripts.definition import script_warnings

    return script_warnings(properties)


def _check_core(core: CoreType, properties: Mapping[str, Any]) -> None:
    from penstock.tasks.registry.properties import check

    check(core.load(), properties)


def _check_script(name: str, properties: Mapping[str, Any]) -> None:
    from pydantic import ValidationError
    from pydantic_core import InitErrorDetails, PydanticCustomError

    from penstock.flow.model import as_details, is_expression
    from penstock.flow.types import type_problem
    from penstock.tasks.registry.properties import check
    from penstock.tasks.scripts.runners import known_runner

    errors: list[InitErrorDetails] = []
    runner = properties.get("taskRunner")
    if isinstance(runner, Mapping) and not is_expression(runner.get("type")):
        if runner.get("type") is None:
            errors.append(
                InitErrorDetails(type="missing", loc=("taskRunner", "type"), input=runner)
            )
        elif known_runner(runner["type"]) is None:
            code, reason = type_problem(str(runner["type"]), "task runner")
            kind = PydanticCustomError(code, "{reason}", {"reason": reason})
            errors.append(InitErrorDetails(type=kind, loc=("taskRunner", "type"), input=runner))
            properties = {key: item for key, item in properties.items() if key != "taskRunner"}
    try:
        check(_scripts()[name.lower()].task, _canonical(properties))
    except ValidationError as error:
        errors += as_details(error)
    if errors:
        raise ValidationError.from_exception_data(name, errors)


def _canonical(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Names whose capitals no rule gives."""
    return {"targetOs" if key == "targetOS" else key: item for key, item in properties.items()}


@cache
def _scripts() -> dict[str, Any]:
    from penstock.tasks.scripts.script_types import SCRIPT_TYPES

    return {script.name.lower(): script for script in SCRIPT_TYPES}
