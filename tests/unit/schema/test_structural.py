"""The converter: what pydantic says, as the API server wants it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from penstock.resources.conditions import Condition
from penstock.schema.crds import definition, kinds
from penstock.schema.structural import OPEN, structural


class Colour(StrEnum):
    """A colour."""

    RED = "RED"
    BLUE = "BLUE"


class Leaf(BaseModel):
    """A leaf."""

    name: str


class Example(BaseModel):
    text: Annotated[str, Field(min_length=1, max_length=5, pattern="^a", description="A text.")]
    optional: int | None = None
    positive: Annotated[float, Field(gt=0)] = 1.5
    port: int | str = 8080
    choice: Literal["a", "b"] = "a"
    single: Literal["only"] = "only"
    colour: Colour = Colour.RED
    when: datetime | None = None
    leaf: Leaf
    leaves: Annotated[list[Leaf], Field(max_length=3)] = []
    texts: dict[str, str] = {}
    anything: dict[str, Any] = {}
    either: list[str] | dict[str, str] = []
    untyped: Any = None
    conditions: list[Condition] = []


class Tree(BaseModel):
    children: list[Tree] = []


PROPERTIES = structural(Example)["properties"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "text",
            {
                "description": "A text.",
                "type": "string",
                "minLength": 1,
                "maxLength": 5,
                "pattern": "^a",
            },
        ),
        ("optional", {"type": "integer"}),
        ("positive", {"type": "number", "minimum": 0, "exclusiveMinimum": True}),
        ("port", {"x-kubernetes-int-or-string": True}),
        ("choice", {"type": "string", "enum": ["a", "b"]}),
        ("single", {"type": "string", "enum": ["only"]}),
        ("colour", {"description": "A colour.", "type": "string", "enum": ["RED", "BLUE"]}),
        ("when", {"type": "string", "format": "date-time"}),
        (
            "leaf",
            {
                "description": "A leaf.",
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}},
            },
        ),
        ("texts", {"type": "object", "additionalProperties": {"type": "string"}}),
        ("anything", {"type": "object"} | OPEN),
        ("either", OPEN),
        ("untyped", OPEN),
    ],
)
def test_a_property(name: str, expected: dict[str, Any]) -> None:
    assert PROPERTIES[name] == expected


def test_lists_keep_their_limits() -> None:
    assert PROPERTIES["leaves"]["maxItems"] == 3
    assert PROPERTIES["leaves"]["items"] == PROPERTIES["leaf"]


def test_conditions_are_merged_by_type() -> None:
    assert PROPERTIES["conditions"]["x-kubernetes-list-type"] == "map"
    assert PROPERTIES["conditions"]["x-kubernetes-list-map-keys"] == ["type"]


def test_recursion_is_cut() -> None:
    children = structural(Tree)["properties"]["children"]

    assert children["items"] == {"type": "object"} | OPEN


def test_defaults_only_where_they_are_wanted() -> None:
    assert "default" not in PROPERTIES["positive"]

    filled = structural(Example, defaults=True)["properties"]
    assert filled["positive"]["default"] == 1.5
    assert "default" not in filled["optional"]
    assert "default" not in filled["texts"]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.kind)
def test_the_schemas_are_structural(kind: Any) -> None:
    """The API server refuses a schema with any of these; it says so only when it is installed."""
    schema = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for path, node in _nodes(schema, ""):
        forbidden = {"$ref", "$defs", "title", "const", "discriminator", "anyOf", "oneOf", "allOf"}
        assert not forbidden & set(node), path
        typeless = {"x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"}
        assert "type" in node or typeless & set(node), path
        assert not ("properties" in node and "additionalProperties" in node), path


def _nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, item in schema.get("properties", {}).items():
        yield from _nodes(item, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _nodes(schema[name], f"{path}[]")
