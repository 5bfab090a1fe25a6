"""Write YAML as Kestra does: few quotes, list items indented by one space."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from penstock.expressions.errors import LimitError
from penstock.expressions.limits import Budget
from penstock.expressions.printing import MAX_JSON_DEPTH, scalar_text
from penstock.expressions.values import is_list, is_map

_SPECIAL = re.compile(
    r"^(?:|~|null|true|false|yes|no|on|off|y|n|[-+]?[0-9][0-9_,.:eE+-]*|\.[0-9]+|0x[0-9a-f]+"
    r"|[-+]?\.(?:inf|nan)|<<|=)$",
    re.IGNORECASE,
)
_STARTS = set("-?:,[]{}#&*!|>'\"%@` \t")


def to_yaml(value: Any, budget: Budget) -> str:
    """A value as a YAML document."""
    writer = _Writer(budget)
    if value is None:
        return "null"
    if (is_map(value) or is_list(value)) and len(value):
        writer.block(value, 0, 0)
    else:
        writer.add(_inline(value) + "\n")
    text = "".join(writer.parts)
    budget.text(len(text))
    return text


class _Writer:
    def __init__(self, budget: Budget) -> None:
        self.parts: list[str] = []
        self.size = 0
        self.budget = budget

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.size += len(text)
        if self.size > self.budget.limits.output_chars:
            self.budget.text(self.size)

    def block(self, value: Any, indent: int, depth: int, first: bool = False) -> None:
        """Lines of a map or list; ``first`` when the first line is already indented."""
        if depth > MAX_JSON_DEPTH:
            raise LimitError("a value is nested too deeply to print")
        self.budget.check_time()
        items = _pairs(value, indent)
        for index, (mark, inner, item) in enumerate(items):
            if index or not first:
                self.add(" " * indent)
            self.add(mark)
            self.item(item, inner, depth, mark)

    def item(self, item: Any, inner: int, depth: int, mark: str) -> None:
        if not (is_map(item) or is_list(item)) or not len(item):
            self.add((" " if mark.endswith(":") else "") + _inline(item, inner) + "\n")
        elif mark.endswith(":"):
            self.add("\n")
            self.block(item, inner, depth + 1)
        else:
            self.block(item, inner, depth + 1, first=True)


def _pairs(value: Any, indent: int) -> list[tuple[str, int, Any]]:
    if isinstance(value, Mapping):
        # A list inside a map needs no further indentation: its own space is enough.
        return [
            (f"{_key(key)}:", indent if is_list(item) else indent + 2, item)
            for key, item in value.items()
        ]
    return [(" - ", indent + 3, item) for item in value]


def _key(key: Any) -> str:
    return "null" if key is None else _text(scalar_text(key), 0)


def _inline(value: Any, indent: int = 0) -> str:
    if value is None:
        return "null"
    if is_map(value):
        return "{}"
    if is_list(value):
        return "[]"
    text = scalar_text(value)
    return _text(text, indent) if not isinstance(value, bool | int | float) else text


def _text(text: str, indent: int) -> str:
    if "\n" in text and text.strip() and not text[0].isspace() and text.isprintable() is False:
        return _literal(text, max(indent, 2))
    if _SPECIAL.match(text) or text[0] in _STARTS or text[-1] in " :\t":
        return _quoted(text)
    if ": " in text or " #" in text or not text.isprintable():
        return _quoted(text)
    return text


def _literal(text: str, indent: int) -> str:
    if any(not character.isprintable() and character != "\n" for character in text):
        return _quoted(text)
    body = text.removesuffix("\n")
    mark = "|" if text.endswith("\n") else "|-"
    if body.endswith("\n"):
        mark = "|+"
    pad = "\n" + " " * indent
    return mark + "".join(pad + line if line else "\n" for line in body.split("\n"))


def _quoted(text: str) -> str:
    from json.encoder import encode_basestring

    return str(encode_basestring(text))
