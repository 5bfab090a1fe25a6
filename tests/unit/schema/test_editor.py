"""The JSON Schema for editors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.schema.editor import flow_schema
from penstock.types import task_types

Schema = dict[str, Any]


@pytest.fixture(scope="module")
def schema() -> Schema:
    return flow_schema()


def test_every_reference_leads_somewhere(schema: Schema) -> None:
    for node in _objects(schema):
        if "$ref" in node:
            assert node["$ref"].removeprefix("#/$defs/") in schema["$defs"]


def test_tasks_stand_wherever_a_list_of_tasks_does(schema: Schema) -> None:
    task = {"$ref": "#/$defs/Task"}
    for name in ("tasks", "errors", "finally", "afterExecution"):
        assert schema["properties"][name]["items"] == task
    assert schema["$defs"]["ForEach"]["properties"]["tasks"]["items"] == task


def test_every_type_of_task_is_offered(schema: Schema) -> None:
    offered = schema["$defs"]["Task"]["properties"]["type"]["anyOf"][0]["enum"]

    assert {task_type.name for task_type in task_types()} <= set(offered)


def test_a_flowable_has_its_own_properties(schema: Schema) -> None:
    rules = schema["$defs"]["Task"]["allOf"]
    name = "io.kestra.plugin.core.flow.Switch"
    (rule,) = [rule for rule in rules if name in rule["if"]["properties"]["type"]["enum"]]

    assert rule["then"] == {"$ref": "#/$defs/Switch"}
    assert {"value", "cases", "defaults"} <= set(schema["$defs"]["Switch"]["properties"])


def test_unknown_properties_are_marked_where_we_refuse_them(schema: Schema) -> None:
    assert schema["additionalProperties"] is False
    assert "additionalProperties" not in schema["$defs"]["Task"]
    assert "properties" not in schema["$defs"]["Trigger"]["properties"]


def test_expressions_may_stand_where_the_model_takes_them(schema: Schema) -> None:
    choices = schema["$defs"]["Task"]["properties"]["timeout"]["anyOf"]

    assert {"type": "string", "pattern": r"\{[{%#]"} in choices


def test_labels_may_be_a_list(schema: Schema) -> None:
    kinds = [choice["type"] for choice in schema["properties"]["labels"]["anyOf"]]

    assert kinds == ["object", "array"]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        yield from _objects(item)
