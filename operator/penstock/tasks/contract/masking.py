"""Keeping the values of secrets out of what leaves a pod. Standard library only."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

MASK = "******"
MIN_LENGTH = 4
"""Shorter values are no secrets, and would make a log unreadable."""
_PIECE = 6
"""Characters of a value that stand one after the other by no accident."""


class Masker:
    """Replaces secrets, and what is commonly made of them, by `******`."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._hidden: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for value in values:
            self.hide(value)

    def hide(self, value: str) -> None:
        """Take in a further value."""
        self._hidden |= {part for part in forms(value) if len(part) >= MIN_LENGTH}
        longest_first = sorted(self._hidden, key=lambda part: (-len(part), part))
        if longest_first:
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    @property
    def hidden(self) -> frozenset[str]:
        """The texts that are replaced."""
        return frozenset(self._hidden)

    def text(self, text: str) -> str:
        """A text without secrets."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def message(self, text: str) -> str:
        """A text of a program's own, which may show a piece of a value only: without pieces."""
        text = self.text(text)
        pieces = {
            part[at : at + _PIECE] for part in self._hidden for at in range(len(part) - _PIECE + 1)
        }
        shown = [True] * len(text)
        for at in range(len(text) - _PIECE + 1):
            if text[at : at + _PIECE] in pieces:
                shown[at : at + _PIECE] = [False] * _PIECE
        return "".join(
            character if shown[at] else MASK if at == 0 or shown[at - 1] else ""
            for at, character in enumerate(text)
        )

    def value(self, value: Any) -> Any:
        """A value without secrets in its texts; keys of maps are texts too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            masked = self.text(str(value))
            return value if masked == str(value) else masked
        return value


def forms(value: str) -> Iterator[str]:
    """A secret's lines, the texts in it where it is JSON, and both as they look when encoded."""
    for part in {value.strip(), *(line.strip() for line in value.splitlines()), *_leaves(value)}:
        if len(part) < MIN_LENGTH:
            continue
        yield part
        yield json.dumps(part)[1:-1]
        yield json.dumps(part, ensure_ascii=False)[1:-1]
        yield quote(part, safe="")
        yield quote(part)
    if len(value) >= MIN_LENGTH:
        yield from _in_base64(value.encode("utf-8", "surrogateescape"))


def _leaves(value: str) -> Iterator[str]:
    if value.lstrip()[:1] not in ("{", "["):
        return
    try:
        waiting = [json.loads(value)]
    except (ValueError, RecursionError):
        return
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str):
            yield item


def _in_base64(value: bytes) -> Iterator[str]:
    """Yield a value as it stands in the base64 of a longer text too: at each of three places in a
    triple."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value).decode().rstrip("=")
        first = (0, 2, 3)[shift]
        whole = (shift + len(value)) * 8 // 6
        yield encoded[first:whole]
        yield encoded[first:whole].replace("+", "-").replace("/", "_")
