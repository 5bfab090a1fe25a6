"""How pydantic's errors become problems of a flow: in its author's words, at the place as it is
written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from penstock.flow.problems import Location, Problem

_WANTED = {
    "str": "text",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "list[any]": "a list",
    "dict[str,any]": "a map",
}
"""Branches of a union by the names that pydantic gives them in an error's location."""
_RETRY_TYPES = ("constant", "exponential", "random")
_TYPE_ERRORS = {
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "model_attributes_type": "must be a map",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
}


def from_validation(error: ValidationError, document: Any) -> list[Problem]:
    """The problems of a failed validation, each once, at its place in the document."""
    problems: list[Problem] = []
    unions: dict[Location, list[str]] = {}
    for line in error.errors(include_url=False):
        location = _without_retry_type(line["loc"])
        wanted = _union_branch(location, document)
        if wanted is not None:
            unions.setdefault(location[:-1], []).append(wanted)
        else:
            name = _type_name(line) if location[-1:] == ("type",) else None
            problems.append(Problem(location, _message(line), line["type"], type_name=name))
    problems += [
        Problem(location, f"must be {_either(wanted)}", code="type")
        for location, wanted in unions.items()
    ]
    return problems


def _type_name(line: Mapping[str, Any]) -> str | None:
    """The task type that an error is about; its input is the map that names the type."""
    holder = line["input"]
    name = holder.get("type") if isinstance(holder, Mapping) else None
    return name if isinstance(name, str) else None


def _without_retry_type(parts: Location) -> Location:
    """A location without the type of a retry, which pydantic puts behind the property's name."""
    return tuple(
        part
        for index, part in enumerate(parts)
        if not (part in _RETRY_TYPES and index and parts[index - 1] == "retry")
    )


def _union_branch(location: Location, document: Any) -> str | None:
    """The type that a branch of a union wants; None where the document has the last part of the
    location."""
    last = location[-1] if location else None
    if not isinstance(last, str) or last not in _WANTED:
        return None
    value = document
    for part in location[:-1]:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return None if isinstance(value, Mapping) and last in value else _WANTED[last]


def _either(wanted: Iterable[str]) -> str:
    *others, last = dict.fromkeys(wanted)
    return f"{', '.join(others)} or {last}" if others else last


def _message(line: Mapping[str, Any]) -> str:
    kind, context = line["type"], line.get("ctx", {})
    if kind in _TYPE_ERRORS:
        return _TYPE_ERRORS[kind]
    if kind == "missing":
        return "missing required property"
    if kind == "too_short":
        return "must not be empty"
    if kind == "string_pattern_mismatch":
        return f"`{line['input']}` does not match `{context['pattern']}`"
    if kind == "literal_error":
        return f"`{line['input']}` is not one of {context['expected']}"
    if kind == "union_tag_invalid":
        return f"`{context['tag']}` is not one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return "missing required property `type`"
    message: str = line["msg"]
    return message.removeprefix("Value error, ")
