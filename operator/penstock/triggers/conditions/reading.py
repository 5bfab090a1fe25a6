"""How one condition is read: its `type` says which model it is."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainValidator, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from penstock.triggers.conditions.model import Condition
from penstock.triggers.naming import nearest_type

_PREFIX = "io.kestra.plugin.core.condition."
_OLD_PREFIX = "io.kestra.core.models.conditions.types."
_TYPES: dict[str, type[Condition]] = {}
_NAMES: list[str] = []


def register(model: type[Condition]) -> None:
    """Make a condition known by its names, in any case of letters."""
    name = _PREFIX + model.name
    old = (f"{_PREFIX}{model.name}Condition", f"{_OLD_PREFIX}{model.name}Condition")
    for known in (name, *old, *model.aliases):
        _TYPES[known.lower()] = model
    _NAMES.append(name)


def _read(value: Any, info: ValidationInfo) -> Condition:
    if not isinstance(value, dict):
        raise _error("condition", "a condition is a map with `type`", (), value)
    name = value.get("type")
    if name is None:
        raise _error("missing", "missing required property", ("type",), value)
    model = _TYPES.get(str(name).lower())
    if model is None:
        message = f"no condition type `{name}`{nearest_type(str(name), _NAMES)}"
        raise _error("unknown_type", message, ("type",), name)
    return model.model_validate(value, context=info.context)


def _error(kind: str, message: str, at: tuple[str, ...], value: Any) -> ValidationError:
    custom = PydanticCustomError(kind, "{reason}", {"reason": message})
    return ValidationError.from_exception_data(
        "condition", [InitErrorDetails(type=custom, loc=at, input=value)]
    )


AnyCondition = Annotated[Condition, PlainValidator(_read)]
"""A condition of any type."""
