"""Filters that write JSON, ION and YAML."""

from __future__ import annotations

from typing import Any

from penstock.expressions.formats.ion import to_ion
from penstock.expressions.formats.yaml_writer import to_yaml
from penstock.expressions.printing import to_json
from penstock.expressions.registry import register_filter
from penstock.expressions.rendering import Rendering


@register_filter("toJson", "json", "jsonEncode", takes_null=True)
def json_filter(run: Rendering, value: Any) -> str:
    """The value as JSON; null entries of maps are dropped, null itself is ``null``.

    {{ {'a': [1, null], 'b': null} | toJson }} → {"a":[1,null]}
    {{ inputs.name | toJson }} → "Ada"
    """
    return to_json(value, run.budget)


@register_filter("toIon", takes_null=True)
def ion_filter(run: Rendering, value: Any) -> str:
    """The value as ION text; null entries stay.

    {{ {'a': [1, null], 'b': null} | toIon }} → {a:[1,null],b:null}
    """
    return to_ion(value, run.budget)


@register_filter("yaml", takes_null=True)
def yaml_filter(run: Rendering, value: Any) -> str:
    """The value as YAML, with a line break at its end.

    {{ {'a': 1, 'b': ['x', 'y']} | yaml }} → a: 1⏎b:⏎ - x⏎ - "y"⏎
    """
    return to_yaml(value, run.budget)
