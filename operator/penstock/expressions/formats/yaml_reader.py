"""Read YAML with JSON's types: dates stay text, and no value is built from a tag."""

from __future__ import annotations

import re
from typing import Any

from penstock.expressions.errors import ExpressionError, LimitError
from penstock.expressions.limits import Budget
from penstock.expressions.printing import MAX_JSON_DEPTH

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,40})")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?")
_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def from_yaml(text: str, budget: Budget) -> Any:
    """The first document of a YAML text."""
    import yaml

    budget.items(text.count("\n") + 1)
    if max(text.count("["), text.count("{")) > 10_000 or "&" * 1000 in text:
        raise LimitError("the YAML text is too large")
    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ExpressionError(f"Invalid yaml: {str(error)[:200]}") from None
    return None if node is None else _value(node, budget, 0)


def _value(node: Any, budget: Budget, depth: int) -> Any:
    """A node's value; an alias is walked again, so that the budget counts what it grows to."""
    if depth > MAX_JSON_DEPTH:
        raise LimitError("the YAML text is nested too deeply")
    if node.id == "scalar":
        return _scalar(node.value) if node.style in (None, "") else node.value
    budget.items(len(node.value) + 1)
    budget.check_time()
    if node.id == "sequence":
        return [_value(item, budget, depth + 1) for item in node.value]
    result: dict[str, Any] = {}
    for key, item in node.value:
        if key.id != "scalar":
            raise ExpressionError("Invalid yaml: a key must be text")
        result[key.value] = _value(item, budget, depth + 1)
    return result


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
