"""The meaning of a YAML scalar without quotes: text, unless it is clearly null, a truth value or a
number.

Jackson (Kestra) and kubectl agree on these; PyYAML's own rules (dates, `yes`, `on`) are not used.
"""

from __future__ import annotations

import math
import re

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OCTAL = re.compile(r"[-+]?0o?[0-7]+")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_HEX = re.compile(r"[-+]?0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_MAX_DIGITS = 40
"""Longer digits are an id or a hash that someone forgot to quote, never a number."""


def plain_value(text: str) -> str | int | float | bool | None:
    """The value of a YAML scalar without quotes."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > _MAX_DIGITS:
        return text
    if _OCTAL.fullmatch(text):
        return int(text.replace("o", ""), 8)
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
