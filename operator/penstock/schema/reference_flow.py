"""The pages of the flow document: the flow itself, its inputs, its triggers."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import yaml

from penstock import triggers
from penstock.flow.document import Flow
from penstock.flow.inputs import Input
from penstock.flow.model import Document
from penstock.flow.task import TaskCache
from penstock.schema.reference_docstrings import describe_class
from penstock.schema.reference_inputs import INPUT_TYPES
from penstock.schema.reference_models import properties, table
from penstock.schema.reference_pages import (
    FLOW_PAGE,
    INPUTS_PAGE,
    TRIGGERS_PAGE,
    legend,
    linker,
    nested_within,
    page,
    paragraphs,
    relative,
    section,
    yaml_blocks,
)

INPUT_SECTIONS = [Input, *nested_within(Input)]
FLOW_SECTIONS = [*nested_within(Flow, known=INPUT_SECTIONS), TaskCache]
PLACES: dict[type, str] = {
    **dict.fromkeys(FLOW_SECTIONS, FLOW_PAGE),
    **dict.fromkeys(INPUT_SECTIONS, INPUTS_PAGE),
}
"""The page on which each map type of the flow document has its section."""


@dataclass(frozen=True)
class TriggerType:
    """A trigger that is served, and the model of its properties."""

    name: str
    model: type[Document]


def flow_page() -> str:
    link = linker(FLOW_PAGE, PLACES)
    described = describe_class(Flow)
    lines = [
        *paragraphs(described.prose),
        *yaml_blocks(described.examples),
        legend(FLOW_PAGE),
        "",
        *table(properties(Flow), link),
    ]
    for cls in FLOW_SECTIONS:
        lines += section(cls, link)
    return page("The flow document", lines)


def inputs_page() -> str:
    link = linker(INPUTS_PAGE, PLACES)
    described = describe_class(Input)
    lines = [
        *paragraphs(described.prose),
        *yaml_blocks(described.examples),
        "## Types",
        "",
        "| type | | given | becomes |",
        "|---|---|---|---|",
        *(item.row(name) for name, item in INPUT_TYPES.items()),
        "",
        "Whatever a type does not take is refused, with the input's id and what was received.",
        "",
    ]
    for cls in INPUT_SECTIONS:
        lines += section(cls, link) if cls is not Input else []
    at = lines.index("## Types")
    lines[at:at] = [legend(INPUTS_PAGE), "", "## Input", "", *table(properties(Input), link)]
    return page("Inputs", lines)


def triggers_page() -> str:
    link = linker(TRIGGERS_PAGE, PLACES)
    shared = f"{relative(TRIGGERS_PAGE, FLOW_PAGE)}#trigger"
    lines = [
        f"Every trigger has the properties of [all triggers]({shared}), and those of its type.",
        "",
        legend(TRIGGERS_PAGE),
        "",
    ]
    for trigger in trigger_types():
        described = describe_class(trigger.model)
        lines += [
            f"## {_heading(trigger.name)}",
            "",
            f"`{trigger.name}`",
            "",
            *paragraphs(described.prose),
            *yaml_blocks(described.examples),
            *table(properties(trigger.model), link),
        ]
        for cls in nested_within(trigger.model, known=PLACES):
            lines += section(cls, link, "###")
    return page("Triggers", lines)


def _heading(name: str) -> str:
    """Shorten a type's name as far as it tells which one it is: many end with `Trigger`."""
    for package in (
        "io.kestra.plugin.core.trigger.",
        "io.kestra.plugin.core.",
        "io.kestra.plugin.",
    ):
        name = name.removeprefix(package)
    return name


def trigger_types() -> list[TriggerType]:
    """The triggers that are served: the models in the room of triggers whose example names a
    type."""
    found = []
    for module in trigger_modules():
        for model in vars(module).values():
            if not inspect.isclass(model) or model.__module__ != module.__name__:
                continue
            examples = describe_class(model).examples
            if issubclass(model, Document) and examples:
                found.append(TriggerType(str(yaml.safe_load(examples[0])["type"]), model))
    return sorted(found, key=lambda trigger: trigger.name)


def trigger_modules() -> Iterator[ModuleType]:
    """The modules of the room of triggers."""
    for item in pkgutil.walk_packages(triggers.__path__, "penstock.triggers."):
        yield importlib.import_module(item.name)
