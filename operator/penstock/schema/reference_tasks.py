"""The pages of the task types, made from the registry: one page for each family of names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import is_dataclass

import yaml

from penstock.engine.interface.flowable import Flowable
from penstock.flow.task import Task
from penstock.flow.types import TaskType
from penstock.schema.reference_docstrings import Described, describe_class
from penstock.schema.reference_flow import PLACES
from penstock.schema.reference_models import Property, properties, table
from penstock.schema.reference_pages import (
    FOLDER,
    TASKS_PAGE,
    legend,
    linker,
    nested_within,
    page,
    paragraphs,
    section,
    yaml_blocks,
)
from penstock.tasks.contract.core_types import core_type
from penstock.tasks.scripts.script_types import SCRIPT_TYPES
from penstock.types import task_types

_PREFIX = "io.kestra.plugin."
_OLD = "io.kestra.core.tasks."
_OLD_FAMILY = "old"
"""The family of types whose successors have another shape."""


def tasks_pages() -> dict[str, str]:
    """The overview, and the page of each family, by path."""
    families: dict[str, list[TaskType]] = {}
    for task_type in task_types():
        families.setdefault(family(task_type), []).append(task_type)
    pages = {TASKS_PAGE: _overview(families)}
    for name, members in families.items():
        pages[_path(name)] = _family_page(name, members)
    return pages


def family(task_type: TaskType) -> str:
    """`core.flow` for `io.kestra.plugin.core.flow.If`, `scripts` for all of `….scripts.…`."""
    if task_type.name.startswith(_OLD):
        return _OLD_FAMILY
    parts = task_type.name.removeprefix(_PREFIX).split(".")
    return ".".join(parts[:2]) if parts[0] == "core" else parts[0]


def task_class(task_type: TaskType) -> type:
    """The class that defines a type's own properties: its model, or the dataclass of a runnable
    task."""
    model = task_type.read_model()
    if model is not None:
        return model
    core = core_type(task_type.name)
    if core is not None:
        return core.load()
    for script in SCRIPT_TYPES:
        if script.name == task_type.name:
            return script.task
    raise LookupError(f"`task_class` has to learn where the properties of {task_type.name} are")


def own_properties(task_type: TaskType) -> list[Property]:
    """The properties of a type beside those of every task; those that its class adds come first."""
    shared, cls = set(Task.property_names()), task_class(task_type)
    own = [item for item in properties(cls) if item.name not in shared]
    inherited = {item.name for base in cls.__bases__ if base is not object for item in _of(base)}
    return sorted(own, key=lambda item: item.name in inherited)


def _of(base: type) -> list[Property]:
    return properties(base) if issubclass(base, Task) or is_dataclass(base) else []


def examples(task_type: TaskType) -> list[str]:
    """The examples that name the type, since one class may serve several types."""
    return [
        text
        for text in describe_class(task_class(task_type)).examples
        if yaml.safe_load(text)["type"] == task_type.name
    ]


def _path(name: str) -> str:
    return f"{FOLDER}/tasks/{name.replace('.', '-')}.md"


def _short(task_type: TaskType) -> str:
    """The heading of a type on the page of its family."""
    return task_type.name.removeprefix(_begin(family(task_type)))


def _begin(family_name: str) -> str:
    """The beginning of the names of a family's types."""
    return _OLD if family_name == _OLD_FAMILY else f"{_PREFIX}{family_name}."


def _overview(families: dict[str, list[TaskType]]) -> str:
    lines = [
        "Capitals in a type do not matter, as in Kestra. What Kestra has besides stands in "
        "[status](../../status.md#task-types).",
        "",
        "| type | |",
        "|---|---|",
    ]
    for name in sorted(families):
        file = _path(name).rpartition("/")[2]
        for task_type in families[name]:
            address = f"{file}#{_anchor(_short(task_type))}"
            summary = describe_class(task_class(task_type)).summary
            shown = task_type.name.removeprefix(_PREFIX)
            lines.append(f"| [`{shown}`]({address}) | {summary} |")
    lines += [
        "",
        "## Properties of every task",
        "",
        *paragraphs(describe_class(Task).prose),
        legend(TASKS_PAGE),
        "",
        *table(properties(Task), linker(TASKS_PAGE, PLACES)),
    ]
    return page("Tasks", lines)


def _family_page(name: str, members: list[TaskType]) -> str:
    path = _path(name)
    link = linker(path, PLACES)
    lines = [
        f"Types that begin with `{_begin(name)}`. Each has the "
        "[properties of every task](README.md#properties-of-every-task) besides.",
        "",
        legend(path),
        "",
    ]
    inner: list[type] = []
    common = _common(members)
    for task_type in members:
        cls = task_class(task_type)
        described = describe_class(cls)
        lines += [
            f"## {_short(task_type)}",
            "",
            *paragraphs(described.prose),
            *_facts(task_type, cls, described),
            *yaml_blocks(examples(task_type)),
        ]
        own = [item for item in own_properties(task_type) if item not in common]
        lines += table(own, link) if own else ["It has no properties of its own.", ""]
        inner += [found for found in nested_within(cls, known=PLACES) if found not in inner]
    if common:
        lines += ["## Properties of all of these", "", *table(common, link)]
    for cls in inner:
        lines += section(cls, link)
    return page(f"Tasks: {name}", lines)


def _common(members: list[TaskType]) -> list[Property]:
    """The properties that all types of a large family share, so that they are told once."""
    if len(members) < 3:
        return []
    first, *others = ([*own_properties(task_type)] for task_type in members)
    return [item for item in first if all(item in other for other in others)]


def _facts(task_type: TaskType, cls: type, described: Described) -> list[str]:
    facts = [f"- type: `{task_type.name}`"]
    if task_type.aliases:
        facts.append(f"- also: {_quoted(task_type.aliases)}")
    if task_type.deprecated:
        facts.append(f"- deprecated: {task_type.deprecated}")
    facts.append(f"- runs: {_where(task_type, cls)}")
    facts += [
        f"- image: `{script.language.image}`, unless the task names one"
        for script in SCRIPT_TYPES
        if script.name == task_type.name
    ]
    if described.outputs:
        facts.append(f"- outputs: {described.outputs}")
    return [*facts, ""]


def _where(task_type: TaskType, cls: type) -> str:
    if task_type.model is None:
        own = core_type(task_type.name) is not None
        return "in a pod of Penstock's image" if own else "in a pod of the image that it names"
    if issubclass(cls, Flowable):
        return "in the controller; the tasks inside it as they do anywhere"
    return "in the controller, without a pod"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _anchor(heading: str) -> str:
    return heading.lower().replace(".", "")
