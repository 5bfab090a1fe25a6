"""Makes JSON Schema whose properties are described by the texts below the attributes of the model.

The models do not read those texts themselves: it would take a third of every command's start.
"""

from __future__ import annotations

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from penstock.schema.reference_docstrings import attribute_docstrings


class DescribedSchema(GenerateJsonSchema):
    """Pydantic's generator of JSON Schema, which adds the descriptions."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        result = super().model_schema(schema)
        properties = result.get("properties", {})
        texts = attribute_docstrings(schema["cls"])
        for name, field in schema["cls"].model_fields.items():
            written = _alias(name, field)
            if written in properties and name in texts:
                properties[written].setdefault("description", texts[name])
        return result


def _alias(name: str, field: FieldInfo) -> str:
    if isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return field.alias or name
