"""The schema of a Flow's spec: it refuses only types that can't be meant.

What is wrong inside a flow is reported by the controller, with the path and a hint, for flows from
Git and from kubectl alike. So the API server refuses only what isn't a flow at all, keeps what it
does not know (to be reported), and neither adds nor removes anything: the spec stays as it is
written. That is why optional properties are `nullable` here, and none has a default.
"""

from __future__ import annotations

from typing import Any

from penstock.flow.document import FLOW_ID_PATTERN, NAMESPACE_PATTERN, Flow
from penstock.schema.reference_docstrings import attribute_docstrings
from penstock.schema.structural import OPEN, Schema, for_users

_OBJECT: Schema = {"type": "object"} | OPEN
_TEXT: Schema = {"type": "string"}
_OPTIONAL_TEXT: Schema = _TEXT | {"nullable": True}
_TASK: Schema = {
    "type": "object",
    "required": ["id", "type"],
    "properties": {
        "id": _TEXT | {"minLength": 1, "description": "The task's name, unique in its flow."},
        "type": _TEXT
        | {
            "minLength": 1,
            "description": "The task's type, for example `io.kestra.plugin.core.log.Log`.",
        },
    },
} | OPEN


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "nullable": True, "items": items}


_SHAPES: dict[str, Schema] = {
    "id": _TEXT | {"minLength": 1, "maxLength": 100, "pattern": FLOW_ID_PATTERN},
    "namespace": _TEXT | {"minLength": 1, "maxLength": 150, "pattern": NAMESPACE_PATTERN},
    "description": _OPTIONAL_TEXT,
    "labels": OPEN,
    "inputs": _list_of(_OBJECT),
    "variables": _OBJECT | {"nullable": True},
    "tasks": {"type": "array", "minItems": 1, "items": _TASK},
    "errors": _list_of(_TASK),
    "finally": _list_of(_TASK),
    "afterExecution": _list_of(_TASK),
    "outputs": _list_of(_OBJECT),
    "triggers": _list_of(_OBJECT),
    "pluginDefaults": _list_of(_OBJECT),
    "taskDefaults": _list_of(_OBJECT),
    "retry": _OBJECT | {"nullable": True},
    "timeout": _OPTIONAL_TEXT,
    "concurrency": _OBJECT | {"nullable": True},
}
"""Properties with a shape; every other one of the model is open."""


def flow_spec() -> Schema:
    """The structural schema of a flow document."""
    properties: dict[str, Any] = {}
    texts = attribute_docstrings(Flow)
    for name, field in Flow.model_fields.items():
        alias = field.alias or name
        described = {"description": for_users(texts[name])} if name in texts else {}
        properties[alias] = described | _SHAPES.get(alias, OPEN)
    return {
        "description": "The flow document, as Kestra writes it.",
        "type": "object",
        "required": ["id", "namespace", "tasks"],
        "properties": properties,
        "x-kubernetes-validations": [
            {
                "rule": "self.id == oldSelf.id",
                "message": "Illegal flow id update: make another Flow instead",
                "fieldPath": ".id",
            },
            {
                "rule": "self.__namespace__ == oldSelf.__namespace__",
                "message": "Illegal namespace update: make another Flow instead",
                "fieldPath": ".namespace",
            },
        ],
    } | OPEN
