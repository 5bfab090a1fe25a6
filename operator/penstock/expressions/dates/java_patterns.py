"""Java's ``DateTimeFormatter`` patterns: cut into their parts, and checked as Java checks them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from penstock.expressions.errors import ExpressionError

_MAX_PATTERN = 200
_MAX_WIDTHS = {
    **dict.fromkeys("uyYnNA", 19),
    **dict.fromkeys("GMLQqEecXxZ", 5),
    **dict.fromkeys("dHhKkmswV", 2),
    **dict.fromkeys("aWF", 1),
    **dict.fromkeys("zO", 4),
    "D": 3,
    "S": 9,
}
"""The most times that each letter may stand in a row."""


@dataclass(frozen=True)
class Part:
    """A run of one letter, or literal text (letter empty)."""

    letter: str
    width: int
    text: str = ""


@lru_cache(maxsize=500)
def parts_of(pattern: str) -> tuple[Part, ...]:
    """A pattern cut into its parts. Raises ``ExpressionError`` where Java refuses it."""
    if len(pattern) > _MAX_PATTERN:
        raise ExpressionError("the date pattern is too long")
    found: list[Part] = []
    for match in re.finditer(r"'((?:[^']|'')+)'|''|([A-Za-z])\2*|.", pattern, re.DOTALL):
        text = match.group()
        if text == "''":
            found.append(Part("", 0, "'"))
        elif match.group(1) is not None:
            found.append(Part("", 0, match.group(1).replace("''", "'")))
        elif match.group(2):
            found.append(_letters(pattern, text))
        elif text == "'":
            raise ExpressionError(f"the date pattern `{pattern}` has a quote that is not closed")
        elif text in "{}#":
            raise ExpressionError(f"the date pattern `{pattern}` has a reserved `{text}`")
        else:
            found.append(Part(text if text in "[]" else "", 0, text))
    return tuple(found)


def _letters(pattern: str, text: str) -> Part:
    letter, width = text[0], len(text)
    if letter not in _MAX_WIDTHS:
        hint = "; quote text with '…'" if width > 1 or letter not in "lj" else ""
        raise ExpressionError(f"unknown letter `{letter}` in the date pattern `{pattern}`{hint}")
    if width > _MAX_WIDTHS[letter]:
        raise ExpressionError(f"too many `{letter}` in the date pattern `{pattern}`")
    if text in _NO_SUCH_WIDTH:
        raise ExpressionError(
            f"the date pattern `{pattern}` can't have `{text}`: {_NO_SUCH_WIDTH[text]}"
        )
    return Part(letter, width)


_NO_SUCH_WIDTH = {
    "V": "a zone's name is `VV`",
    "cc": "a day of the week is `c`, or its name `ccc`",
    **dict.fromkeys(("OO", "OOO"), "an offset is `O` or `OOOO`"),
}
