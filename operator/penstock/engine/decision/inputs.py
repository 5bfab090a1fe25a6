"""Types the inputs of an execution by what was given for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from penstock.engine.interface.secrets import as_reference, key_reference, read_reference
from penstock.expressions import ExpressionError
from penstock.flow.inputs import Input
from penstock.flow.model import is_expression
from penstock.flow.values import (
    InvalidInput,
    MissingInput,
    given_value,
    parse_json,
    type_value,
)

Evaluate = Callable[[Any, Mapping[str, Any]], Any]
"""Renders a template with the inputs that are known so far, keeping its type."""


class InvalidInputs(Exception):
    """Inputs are wrong; the message names each of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def resolve_inputs(
    declared: Sequence[Input],
    given: Mapping[str, Any],
    evaluate: Evaluate,
    *,
    secrets_by_name: bool = False,
    may_lack: bool = False,
) -> dict[str, Any]:
    """Type the inputs, and add defaults. Unknown values are ignored, as Kestra does.

    An input that is disabled by its condition has its default, whatever was given for it: that is
    what expressions see of it. Without a default it is left out.

    `secrets_by_name`: an input of type SECRET may be a reference, which stays one, and so does a
    default that is nothing but `secret('NAME')`. `may_lack`: a required input without a value is
    left out, and not refused. Raises :class:`InvalidInputs`.
    """
    resolved: dict[str, Any] = {}
    left_out: set[str] = set()
    problems: list[str] = []
    for item in _in_order_of_dependency(declared):
        try:
            if _is_disabled(item, resolved, left_out, evaluate):
                left_out.add(item.id)
                resolved |= _of_disabled(item, resolved, evaluate, secrets_by_name)
            else:
                reference = _reference(item, given) if secrets_by_name else None
                resolved[item.id] = reference or _resolve(
                    item, given, resolved, evaluate, secrets_by_name
                )
        except MissingInput as error:
            if not may_lack:
                problems.append(str(error))
        except InvalidInput as error:
            problems.append(str(error))
    if problems:
        raise InvalidInputs(problems)
    return {item.id: resolved[item.id] for item in declared if item.id in resolved}


def secret_texts(declared: Sequence[Input], given: Mapping[str, Any]) -> dict[str, str]:
    """Find what is given for inputs of type SECRET as text, not by the name of a secret."""
    values = {
        item.id: given[item.id]
        for item in declared
        if item.type == "SECRET" and given.get(item.id) is not None
    }
    return {
        id: value if isinstance(value, str) else json.dumps(value)
        for id, value in values.items()
        if read_reference(as_reference(value)) is None
    }


def by_reference(inputs: Mapping[str, Any], texts: Iterable[str], secret: str) -> dict[str, Any]:
    """Put the names of Secrets into the inputs, in the place of their texts."""
    return {**inputs, **{id: key_reference(secret, id) for id in texts if id in inputs}}


def kept_apart(
    declared: Sequence[Input], inputs: Mapping[str, Any], secret: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Part the inputs from the values of those of type SECRET."""
    texts = secret_texts(declared, inputs)
    return by_reference(inputs, texts, secret), texts


def _reference(item: Input, given: Mapping[str, Any]) -> Any:
    """Find what names the value of an input of type SECRET, where something does."""
    value = given.get(item.id)
    value = as_reference(item.defaults if value is None else value)
    is_one = item.type == "SECRET" and read_reference(value) is not None
    return value if is_one else None


def _of_disabled(
    item: Input, resolved: Mapping[str, Any], evaluate: Evaluate, by_name: bool
) -> dict[str, Any]:
    """The default of a disabled input, by its id. Nobody asked for it, so one that is not there,
    or that can't be had, is no problem."""
    optional = item.model_copy(update={"required": False})
    try:
        value = (_reference(item, {}) if by_name else None) or _resolve(
            optional, {}, resolved, evaluate, by_name
        )
    except InvalidInput:
        return {}
    return {} if value is None else {item.id: value}


def _resolve(
    item: Input,
    given: Mapping[str, Any],
    resolved: Mapping[str, Any],
    evaluate: Evaluate,
    by_name: bool,
) -> Any:
    if item.expression is not None:
        item = item.model_copy(update={"values": _choices(item, evaluate, resolved)})
    value = given_value(item, given.get(item.id))
    if value is None:
        value = given_value(item, _default(item, evaluate, resolved))
    if value is None and item.auto_select_first and item.values:
        value = item.values[:1] if item.type == "MULTISELECT" else item.values[0]
    if value is None:
        if item.required:
            raise MissingInput(item)
        return None
    if by_name and item.type != "SECRET":
        _refuse_secret(item, value)
    return type_value(item, value)


def _refuse_secret(item: Input, value: Any) -> None:
    """Refuse a secret that was handed on by its name for an input of another type."""
    handed = isinstance(value, Mapping) and value.keys() == {"secretKeyRef"}
    if handed and read_reference(value) is not None:
        raise InvalidInput(
            f"Invalid input for `{item.id}`, it is given a secret, but is of type {item.type}: "
            "declare it with the type SECRET, or call `secret()` in the flow that asks for it"
        )


def _default(item: Input, evaluate: Evaluate, resolved: Mapping[str, Any]) -> Any:
    if not is_expression(item.defaults):
        return item.defaults
    return _rendered(item, "defaults", evaluate, resolved)


def _choices(item: Input, evaluate: Evaluate, resolved: Mapping[str, Any]) -> list[Any]:
    """Evaluate an input's `expression` to its values: a list, or the JSON text of one."""
    values = _rendered(item, "expression", evaluate, resolved)
    if isinstance(values, str):
        try:
            values = parse_json(values)
        except ValueError:
            values = None
    if not isinstance(values, list | tuple):
        raise InvalidInput(f"Invalid input for `{item.id}`, its `expression` must give a list")
    return list(values)


def _rendered(item: Input, name: str, evaluate: Evaluate, resolved: Mapping[str, Any]) -> Any:
    try:
        return evaluate(getattr(item, name), resolved)
    except ExpressionError as error:
        raise InvalidInput(
            f"Invalid input for `{item.id}`, its `{name}` can't be rendered: {error}"
        ) from None


def _is_disabled(
    item: Input, resolved: Mapping[str, Any], left_out: set[str], evaluate: Evaluate
) -> bool:
    if item.depends_on is None:
        return False
    if any(other in left_out for other in item.depends_on.inputs):
        return True
    condition = item.depends_on.condition
    if condition is None:
        return False
    visible = {name: resolved[name] for name in item.depends_on.inputs if name in resolved}
    try:
        return evaluate(condition, visible) is not True
    except ExpressionError:
        return True


def _in_order_of_dependency(declared: Sequence[Input]) -> list[Input]:
    """Order inputs, each after those on which it depends; a cycle keeps the written order."""
    ordered: list[Input] = []
    done: set[str] = set()
    pending = list(declared)
    while pending:
        ready = [
            item
            for item in pending
            if item.depends_on is None or done.issuperset(item.depends_on.inputs)
        ] or pending[:1]
        ordered += ready
        done |= {item.id for item in ready}
        pending = [item for item in pending if item.id not in done]
    return ordered
