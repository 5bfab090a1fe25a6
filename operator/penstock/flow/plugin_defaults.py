"""Plugin defaults: properties that a flow gives to many tasks at once (kestra-engine, section 13).

A default is for every map whose ``type`` is, or begins with, the default's: tasks, triggers, task
runners. In most public flows it is a package prefix (kestra-usage, section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError


def apply_plugin_defaults(
    document: Mapping[str, Any], name_today: Callable[[str], str | None] = lambda name: None
) -> dict[str, Any]:
    """The flow document with its own defaults put into its tasks and triggers.

    A default under an old name of a type is for the name that it has today as well. The document is
    not yet validated: what is malformed is left as it is, to be reported later.
    """
    defaults = _defaults_of(document)
    today = [(default, name_today(default["type"])) for default in defaults]
    defaults += [{**default, "type": name} for default, name in today if name is not None]
    if not defaults:
        return dict(document)
    untouched = ("pluginDefaults", "taskDefaults", "inputs", "outputs", "variables", "labels")
    return {
        key: value if key in untouched else _apply(value, defaults)
        for key, value in document.items()
    }


def drop_foreign_defaults(
    raw: Mapping[str, Any], merged: dict[str, Any], error: ValidationError
) -> bool:
    """Take back what a default by prefix gave to a type that has no such property.

    Kestra reads such properties leniently. A default for exactly that type keeps its error.
    """
    dropped = False
    for line in error.errors(include_url=False):
        *place, name = line["loc"] or ("",)
        holder = _at(merged, place)
        if line["type"] != "unknown_property" or not isinstance(holder, dict):
            continue
        if is_written(raw, (*place, name)):
            continue
        if name in holder and not _has_exact_default(raw, str(holder.get("type")), str(name)):
            del holder[name]
            dropped = True
    return dropped


def is_written(raw: Mapping[str, Any], place: Sequence[str | int]) -> bool:
    """Whether a property stands in the flow itself and was not put there by a default."""
    holder = _at(raw, place[:-1])
    return isinstance(holder, dict) and place[-1] in holder


def _at(document: Any, place: Sequence[str | int]) -> Any:
    for part in place:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _has_exact_default(document: Mapping[str, Any], kind: str, name: str) -> bool:
    return any(
        default["type"].lower() == kind.lower() and name in default["values"]
        for default in _defaults_of(document)
    )


def _defaults_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The defaults that are well formed."""
    return [
        default
        for name in ("pluginDefaults", "taskDefaults")
        for default in _list(document.get(name))
        if isinstance(default, dict)
        and isinstance(default.get("type"), str)
        and isinstance(default.get("values"), dict)
    ]


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _apply(value: Any, defaults: Sequence[Mapping[str, Any]]) -> Any:
    if isinstance(value, list):
        return [_apply(item, defaults) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: _apply(item, defaults) for key, item in value.items()}
    kind = value.get("type")
    if not isinstance(kind, str):
        return result
    matching = [default for default in defaults if _matches(default["type"], kind)]
    for default in matching:
        if not default.get("forced"):
            result = merge(default["values"], result)
    for default in reversed(matching):
        if default.get("forced"):
            result |= default["values"]
    return result


def _matches(prefix: str, kind: str) -> bool:
    return kind.lower().startswith(prefix.lower())


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Maps merged deeply, lists joined (the base's items first), else the override's value."""
    merged = dict(base)
    for key, value in override.items():
        if key in merged and isinstance(merged[key], dict) and isinstance(value, dict):
            merged[key] = merge(merged[key], value)
        elif key in merged and isinstance(merged[key], list) and isinstance(value, list):
            merged[key] = [*merged[key], *value]
        else:
            merged[key] = value
    return merged
