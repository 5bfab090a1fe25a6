"""Plugin defaults: properties that a flow gives to many tasks at once.

A default applies to every map whose ``type`` is, or begins with, the default's: tasks, triggers,
task runners. In most public flows it is the prefix of a package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError


def apply_plugin_defaults(
    document: Mapping[str, Any], name_today: Callable[[str], str | None] = lambda name: None
) -> dict[str, Any]:
    """The flow document with its own defaults put into its tasks and triggers.

    A default under an old name of a type applies to today's name too. The document is not yet
    validated: what is malformed is left as it is, to be reported later.
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
    """Take back the properties that a default by prefix gave to types which lack them. Tells
    whether there were any.

    Kestra ignores such properties. A default for exactly that type keeps its error.
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
    """The plugin defaults of a flow that are well formed."""
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
    """A value in which each map that has a ``type`` is completed by the defaults."""
    if isinstance(value, list):
        return [_apply(item, defaults) for item in value]
    if not isinstance(value, dict):
        return value
    return _complete(value, {}, defaults)


def _complete(
    own: Mapping[str, Any], given: Mapping[str, Any], defaults: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A map of the flow, completed by the default of the map around it and by the defaults of its
    own type. That type may come from a default too, such as a task runner that one default names
    and another one equips.

    What stands in the flow wins, then the nearest default: that of the type which the flow names,
    or else the one that was given to this very place.
    """
    kind = own.get("type", given.get("type"))
    matching = [item for item in defaults if isinstance(kind, str) and _matches(item["type"], kind)]
    of_type: dict[str, Any] = {}
    for default in matching:
        if not default.get("forced"):
            of_type = merge(default["values"], of_type)
    base = merge(given, of_type) if "type" in own else merge(of_type, given)
    # A default that holds its own type would never end, so it does not apply within what it gives.
    inner = [item for item in defaults if item not in matching]
    result = {name: _apply(value, inner) for name, value in base.items() if name not in own}
    for name, value in own.items():
        beneath = base.get(name)
        if isinstance(value, dict) and isinstance(beneath, dict):
            result[name] = _complete(value, beneath, defaults)
        elif isinstance(value, list) and isinstance(beneath, list):
            result[name] = [*_apply(beneath, inner), *_apply(value, defaults)]
        else:
            result[name] = _apply(value, defaults)
    for default in reversed(matching):
        if default.get("forced"):
            result |= {name: _apply(value, inner) for name, value in default["values"].items()}
    return result


def _matches(prefix: str, kind: str) -> bool:
    return kind.lower().startswith(prefix.lower())


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Two maps merged deeply: lists are joined (the base's items first), else the override's value
    wins."""
    merged = dict(base)
    for key, value in override.items():
        if key in merged and isinstance(merged[key], dict) and isinstance(value, dict):
            merged[key] = merge(merged[key], value)
        elif key in merged and isinstance(merged[key], list) and isinstance(value, list):
            merged[key] = [*merged[key], *value]
        else:
            merged[key] = value
    return merged
