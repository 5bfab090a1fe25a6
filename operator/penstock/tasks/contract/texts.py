"""Texts that may be written as a map or a list. Standard library only: pods import this."""

from __future__ import annotations

import json
from typing import Annotated, Any, get_args, get_origin

_OR_JSON = "or what becomes its JSON"

Text = Annotated[str, _OR_JSON]
"""A property that holds content, such as a message or a body. Where a map or a list stands in its
place, the task is given its JSON, with the expressions inside rendered first, as Kestra does."""


def json_text(value: Any) -> str:
    """A map or a list as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_text(hint: Any) -> bool:
    """Whether a type is :data:`Text` itself."""
    return get_origin(hint) is Annotated and _OR_JSON in hint.__metadata__


def with_json(hint: Any, value: Any) -> Any:
    """A field's value; its JSON, where it is a map or a list in the place of a text."""
    if not isinstance(value, dict | list) or not any(map(is_text, (hint, *get_args(hint)))):
        return value
    return json_text(value)
