"""Read YAML with JSON's types: dates stay text, and no value is built from a tag."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
    """The first document of a YAML text.

    It is built from the parser's events: the parser's own composer calls itself for each level, in
    C, so that deep nesting would end the process.
    """
    import yaml

    budget.items(text.count("\n") + 1)
    events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    try:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                return _Document(events, budget).value(next(events), 0)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ExpressionError(f"Invalid yaml: {str(error)[:200]}") from None
    return None


class _Document:
    """The values of one document, made of the events that come after its start."""

    def __init__(self, events: Iterator[Any], budget: Budget) -> None:
        self._events = events
        self._budget = budget
        self._anchors: dict[str, Any] = {}

    def value(self, event: Any, depth: int) -> Any:
        """The value that begins with an event; the events up to its end are taken."""
        import yaml

        if depth > MAX_JSON_DEPTH:
            raise LimitError("the YAML text is nested too deeply")
        if isinstance(event, yaml.AliasEvent):
            return self._copied(event.anchor, depth)
        self._budget.items(1)
        self._budget.check_time()
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event.value) if event.style in (None, "") else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._list(depth)
        else:
            value = self._map(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _list(self, depth: int) -> list[Any]:
        import yaml

        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self.value(event, depth + 1))
        return items

    def _map(self, depth: int) -> dict[str, Any]:
        import yaml

        items: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if isinstance(event, yaml.AliasEvent):
                key = self._copied(event.anchor, depth)
            elif isinstance(event, yaml.ScalarEvent):
                key = event.value
                if event.anchor is not None:
                    self._anchors[event.anchor] = key
            else:
                key = None
            if not isinstance(key, str):
                raise ExpressionError("Invalid yaml: a key must be text")
            items[key] = self.value(next(self._events), depth + 1)
        return items

    def _copied(self, anchor: str | None, depth: int) -> Any:
        """The value of an anchor once more, so that the budget counts what it grows to."""
        if anchor is None or anchor not in self._anchors:
            raise ExpressionError(
                f"Invalid yaml: there is no anchor `{str(anchor)[:100]}` before its alias"
            )
        return self._copy(self._anchors[anchor], depth)

    def _copy(self, value: Any, depth: int) -> Any:
        if depth > MAX_JSON_DEPTH:
            raise LimitError("the YAML text is nested too deeply")
        if not isinstance(value, (list, dict)):
            return value
        self._budget.items(len(value) + 1)
        self._budget.check_time()
        if isinstance(value, list):
            return [self._copy(item, depth + 1) for item in value]
        return {key: self._copy(item, depth + 1) for key, item in value.items()}


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
