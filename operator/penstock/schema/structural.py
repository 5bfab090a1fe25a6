"""Converts a pydantic model to the structural schema that the API server wants in a CRD.

JSON Schema and structural schemas differ just enough that a CRD made of the former is refused: no
`$ref`, no `title`, no `const`, no unions but a few. Where a structural schema can't say what the
model does, the field is left open and the model decides in the controller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from penstock.schema.described import DescribedSchema

Schema = dict[str, Any]

OPEN: Schema = {"x-kubernetes-preserve-unknown-fields": True}
"""Any value. Structural schemas allow a missing type only together with this."""

_DROPPED = frozenset({"title", "discriminator", "default", "examples", "$defs"})
_ORDER = (
    *("description", "type", "format", "required"),
    *("properties", "additionalProperties", "items"),
)
_EXAMPLE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_NUMERIC = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def structural(model: type[BaseModel], *, defaults: bool = False) -> Schema:
    """The structural schema of a model. With `defaults` the API server fills in its simple
    defaults.

    No property is `nullable`: the API server removes a null where a value is optional, as the
    models do.
    """
    raw = model.model_json_schema(
        by_alias=True, mode="validation", schema_generator=DescribedSchema
    )
    return _Converter(raw.get("$defs", {}), defaults).convert(raw, ())


def for_users(description: str) -> str:
    """A description without examples, on one line."""
    return " ".join(_EXAMPLE.sub("", description).split())


class _Converter:
    def __init__(self, definitions: Mapping[str, Schema], defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults

    def convert(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> Schema:
        """Convert a JSON Schema. `inside` are the definitions around this place, by which recursion
        is found."""
        if "$ref" in schema:
            return self._reference(schema, inside)
        if "allOf" in schema and len(schema["allOf"]) == 1:
            rest = {key: value for key, value in schema.items() if key != "allOf"}
            return self.convert({**schema["allOf"][0], **rest}, inside)
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return self._union(schema, union, inside)
        return self._plain(schema, inside)

    def _reference(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> Schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        if name in inside:
            return _described({"type": "object"} | OPEN, rest)
        return self.convert({**self._definitions[name], **rest}, (*inside, name))

    def _union(self, schema: Mapping[str, Any], union: str, inside: tuple[str, ...]) -> Schema:
        choices = [choice for choice in schema[union] if choice.get("type") != "null"]
        rest = {key: value for key, value in schema.items() if key != union}
        if len(choices) == 1:
            return self.convert({**choices[0], **rest}, inside)
        if {choice.get("type") for choice in choices} == {"integer", "string"}:
            return _described({"x-kubernetes-int-or-string": True}, rest)
        return _described(dict(OPEN), rest)

    def _plain(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> Schema:
        result: Schema = {}
        for key, value in schema.items():
            if key == "const":
                result["enum"] = [value]
            elif key in _NUMERIC:
                result[_NUMERIC[key]] = value
                result[key] = True
            elif key == "properties":
                result[key] = {name: self.convert(item, inside) for name, item in value.items()}
            elif key == "items":
                result[key] = self.convert(value, inside)
            elif key == "additionalProperties":
                result |= self._further(schema, value, inside)
            elif key == "description":
                result[key] = for_users(value)
            elif key not in _DROPPED:
                result[key] = value
        if self._defaults and isinstance(schema.get("default"), str | int | float | bool):
            result["default"] = schema["default"]
        if "type" not in result:
            result |= OPEN
        if result.get("type") == "array":
            result.setdefault("items", dict(OPEN))
            result |= _list_kind(result["items"])
        if result.get("type") == "object" and not {"properties", "additionalProperties"} & set(
            result
        ):
            result |= OPEN
        return _ordered(result)

    def _further(self, schema: Mapping[str, Any], value: Any, inside: tuple[str, ...]) -> Schema:
        """The part of a schema for properties beside the named ones: open, of one kind, or none
        (the rule)."""
        if value is True or value == {}:
            return dict(OPEN)
        if value is False or "properties" in schema:
            return {}
        return {"additionalProperties": self.convert(value, inside)}


def _list_kind(items: Schema) -> Schema:
    """The part of a schema that says how a list is merged: conditions by type, other lists as a
    whole."""
    if {"type", "status", "lastTransitionTime"} <= set(items.get("properties", {})):
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return {}


def _ordered(schema: Schema) -> Schema:
    """A schema with the keys first for which a reader looks first."""
    return {key: schema[key] for key in _ORDER if key in schema} | schema


def _described(result: Schema, source: Mapping[str, Any]) -> Schema:
    if "description" not in source:
        return result
    return {"description": for_users(source["description"])} | result
