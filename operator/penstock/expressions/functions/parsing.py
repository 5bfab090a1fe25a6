"""Functions that read a data format from text."""

from __future__ import annotations

import json as json_format
from typing import Any

from penstock.expressions.errors import ExpressionError, shorten
from penstock.expressions.formats.ion import from_ion
from penstock.expressions.formats.yaml_reader import from_yaml
from penstock.expressions.registry import register_function
from penstock.expressions.rendering import Rendering
from penstock.expressions.truth import kind


def _need_text(value: Any, function: str) -> str:
    if isinstance(value, str):
        return value
    raise ExpressionError(f"expects text, not {kind(value)}; the value needs no `{function}()`")


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


@register_function("fromJson", "json", "jsonDecode")
def parse_json(run: Rendering, json: Any) -> Any:
    """Read JSON; null gives null.

    {{ fromJson('{"a": [1, 2]}').a[1] }} → 2
    """
    return None if json is None else _parse(_need_text(json, "fromJson"))


def _parse(text: str) -> Any:
    try:
        return json_format.loads(text, parse_constant=_constant)
    except RecursionError:
        raise ExpressionError("Invalid json: nested too deeply") from None
    except ValueError as error:
        raise ExpressionError(f"Invalid json: {error}: `{shorten(text, 60)}`") from None


@register_function("fromIon", "ionDecode")
def parse_ion(run: Rendering, ion: Any) -> Any:
    """Read the first value of an ION text; null gives null.

    {{ fromIon('{a: [1, 2]}').a[1] }} → 2
    """
    return None if ion is None else from_ion(_need_text(ion, "fromIon"), run.budget)


@register_function("yaml")
def parse_yaml(run: Rendering, yaml: Any) -> Any:
    """Read YAML; null gives null.

    {{ yaml('a: [1, 2]').a[1] }} → 2
    """
    return None if yaml is None else from_yaml(_need_text(yaml, "yaml"), run.budget)
