"""The generated reference: complete, and its examples are flows that Penstock takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
import yaml

from penstock.flow.document import Flow
from penstock.flow.inputs import Input, InputType
from penstock.flow.loading import load_documents
from penstock.flow.model import Document
from penstock.flow.parse import ParsedFlow
from penstock.flow.types import TaskType
from penstock.flow.values import type_value
from penstock.schema.reference import reference_files
from penstock.schema.reference_docstrings import describe, describe_class
from penstock.schema.reference_flow import (
    FLOW_SECTIONS,
    INPUT_SECTIONS,
    trigger_types,
)
from penstock.schema.reference_inputs import INPUT_TYPES
from penstock.schema.reference_models import properties
from penstock.schema.reference_pages import nested_within
from penstock.schema.reference_tasks import examples, task_class
from penstock.tasks.registry.properties import check
from penstock.triggers import registry
from penstock.types import flow_parser, task_types

_TASK_TYPES = [pytest.param(task_type, id=task_type.name) for task_type in task_types()]


def test_every_class_and_property_is_described() -> None:
    found = _documented()
    silent = [
        f"{cls.__name__}.{item.name}"
        for cls in found
        for item in properties(cls)
        if not item.description
    ]

    assert len(found) > 100
    assert [cls.__name__ for cls in found if not describe_class(cls).summary] == []
    assert silent == [], "put a docstring below each of these"


def _documented() -> list[type]:
    """Every class that has properties of a flow document."""
    roots: list[type] = [Flow, *FLOW_SECTIONS, *INPUT_SECTIONS]
    roots += [task_class(task_type) for task_type in task_types()]
    roots += [trigger.model for trigger in trigger_types()]
    inner = [found for root in roots for found in nested_within(root)]
    return list(dict.fromkeys([*roots, *inner]))


@pytest.mark.parametrize("task_type", _TASK_TYPES)
def test_the_example_of_a_task_type_is_a_valid_task(task_type: TaskType) -> None:
    found = examples(task_type)

    assert found, (
        f"{task_class(task_type).__name__} needs a ```yaml block in its docstring with "
        f"`type: {task_type.name}`"
    )
    for example in found:
        parsed = _parse({"tasks": [yaml.safe_load(example)]})
        expected = [] if task_type.deprecated is None else ["deprecated"]
        # An example is one task: what it reads of others is not there.
        told = [item.code for item in parsed.warnings if item.code != "unknown_reference"]
        assert told == expected


def test_the_example_of_a_trigger_is_valid() -> None:
    assert trigger_types()
    for trigger in trigger_types():
        for example in describe_class(trigger.model).examples:
            parsed = _parse({"triggers": [yaml.safe_load(example)]})
            assert {warning.code for warning in parsed.warnings} <= {"not_served"}


def test_every_trigger_that_is_served_is_in_the_reference() -> None:
    served = {known.name for known in registry.own_types() if known.served}

    assert served
    assert served == {trigger.name for trigger in trigger_types()}


def test_the_examples_of_the_documents_parts_are_valid() -> None:
    for cls, example in _parts():
        value = yaml.safe_load(example)
        if issubclass(cls, Flow):
            assert _parse(value).warnings == ()
        elif issubclass(cls, Document):
            cls.model_validate(value, context={"types": task_types()})
        else:
            check(cls, value)


@pytest.mark.parametrize("name", INPUT_TYPES)
def test_an_input_becomes_what_the_reference_says(name: str) -> None:
    example = INPUT_TYPES[name]
    declared = Input.model_validate({"id": "it", "type": name, **example.declared})

    assert type_value(declared, example.given) == example.becomes


def test_every_type_of_input_is_in_the_reference() -> None:
    assert set(INPUT_TYPES) == set(get_args(InputType))


def test_every_registered_type_has_its_place_in_the_pages() -> None:
    text = "".join(reference_files().values())

    for task_type in task_types():
        assert text.count(f"- type: `{task_type.name}`") == 1


def test_a_docstring_is_taken_apart() -> None:
    described = describe(
        """Does it.

        Outputs: `value`,
        in full.

        ```yaml
        id: a
        ```

        And ``more``.
        """
    )

    assert described.prose == ("Does it.", "And `more`.")
    assert described.outputs == "`value`, in full."
    assert described.examples == ("id: a\n",)


def _parts() -> Iterator[tuple[type, str]]:
    tasks = {task_class(task_type) for task_type in task_types()}
    triggers = {trigger.model for trigger in trigger_types()}
    for cls in _documented():
        if cls not in tasks | triggers:
            yield from ((cls, example) for example in describe_class(cls).examples)


def _parse(parts: dict[str, object]) -> ParsedFlow:
    filler = [{"id": "filler", "type": "io.kestra.plugin.core.log.Log", "message": "hello"}]
    flow = {"id": "example", "namespace": "company.team", "tasks": filler} | parts
    return flow_parser().parse(load_documents(yaml.safe_dump(flow, sort_keys=False))[0])
