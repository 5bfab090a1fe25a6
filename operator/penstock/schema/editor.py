"""The JSON Schema of a flow file, for editors: completion, hints and early warnings.

It follows the models, and says more in two places: a task's properties follow from its type, and an
expression may stand where the model takes one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from penstock.flow.document import Flow, labels_as_map
from penstock.flow.model import Document, Rendered
from penstock.flow.task import RunnableTask, Task, read_task
from penstock.schema.described import DescribedSchema
from penstock.schema.structural import for_users
from penstock.types import task_types

_TASK = "#/$defs/Task"
_EXPRESSION = {"type": "string", "pattern": r"\{[{%#]"}
_LABELS = {
    "anyOf": [
        {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "value"],
                "properties": {"key": {"type": "string"}, "value": {}},
            },
        },
    ]
}


class _Generator(DescribedSchema):
    """Pydantic's generator, extended by what our validators accept."""

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> Any:
        if schema["function"].get("function") is read_task:
            return {"x-task": True}
        return super().function_plain_schema(schema)

    def function_wrap_schema(self, schema: core_schema.WrapValidatorFunctionSchema) -> Any:
        inner = super().function_wrap_schema(schema)
        if schema["function"].get("function") is Rendered.func:
            return {"anyOf": [inner, _EXPRESSION]}
        return inner

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Any:
        if schema["function"].get("function") is labels_as_map:
            return _LABELS
        return super().function_before_schema(schema)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        result = super().model_schema(schema)
        model = schema["cls"]
        if not issubclass(model, Document):
            return result
        properties = result.setdefault("properties", {})
        if model.open_properties:
            properties.pop("properties", None)
            return result
        for name in model.property_names():
            properties.setdefault(name, {})
        return result | {"additionalProperties": False}


def flow_schema() -> dict[str, Any]:
    """The JSON Schema of a flow file."""
    schema = _schema_of(Flow)
    definitions = schema.pop("$defs", {})
    known: list[str] = []
    choices: list[dict[str, Any]] = []
    for task_type in task_types():
        known += [task_type.name, *task_type.aliases]
        model = task_type.read_model()
        if model is not None:
            name = model.__name__
            own = _schema_of(model)
            definitions |= own.pop("$defs", {})
            definitions[name] = own
            names = {"enum": [task_type.name, *task_type.aliases]}
            choices.append(
                {"if": {"properties": {"type": names}}, "then": {"$ref": f"#/$defs/{name}"}}
            )
    task = _schema_of(RunnableTask)
    definitions |= task.pop("$defs", {})
    task["properties"]["type"] |= {"anyOf": [{"enum": sorted(known)}, {"type": "string"}]}
    task["allOf"] = choices
    task["description"] = Task.__doc__
    definitions["Task"] = task
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://penstock.dev/schemas/flow.schema.json",
        "title": "Flow",
    }
    whole = head | schema | {"$defs": dict(sorted(definitions.items()))}
    _refer_to_tasks(whole)
    return whole


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True, schema_generator=_Generator)


def _refer_to_tasks(schema: dict[str, Any]) -> None:
    """Put the reference to `Task` wherever a task may stand, and drop generated titles."""
    for node in list(_objects(schema)):
        if node.pop("x-task", False):
            node["$ref"] = _TASK
        if isinstance(node.get("title"), str) and node is not schema:
            del node["title"]
        if isinstance(node.get("description"), str):
            node["description"] = for_users(node["description"])


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in list(value.values()):
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)
