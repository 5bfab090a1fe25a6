"""ION text: what Kestra stores; close enough to JSON that a small reader and writer do.

Read are JSON, comments, unquoted and single-quoted names, long strings, typed nulls,
annotations (skipped), decimals and timestamps (kept as text). Blobs, clobs and s-expressions are
refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from json.encoder import encode_basestring
from typing import Any, NoReturn

from penstock.expressions.errors import ExpressionError, LimitError
from penstock.expressions.limits import Budget
from penstock.expressions.printing import MAX_JSON_DEPTH, java_double, scalar_text, to_json
from penstock.expressions.values import is_list

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_SKIP = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_ANNOTATION = re.compile(r"(?:[A-Za-z_$][\w$]*|'(?:[^'\\]|\\.)+')\s*::")
_TIMESTAMP = re.compile(
    r"\d{4}(?:T|-\d\d(?:T|-\d\d(?:T(?:\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[-+]\d\d:\d\d))?)?))"
)
_NUMBER = re.compile(r"[-+]?\d[\d_]*(?:\.[\d_]*)?(?:[eEdD][-+]?\d{1,4})?")
_NULL = re.compile(r"null(?:\.\w+)?(?![\w$])")
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"', re.DOTALL)
_SYMBOL = re.compile(r"'((?:[^'\\]|\\.)+)'", re.DOTALL)
_LONG = re.compile(r"'''(.*?)'''", re.DOTALL)
_ESCAPE = re.compile(r"\\(x..|u....|U........|\n|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0"}


def to_ion(value: Any, budget: Budget) -> str:
    """A value as ION text; null entries of maps stay."""
    parts: list[str] = []
    _write(value, budget, parts, 0)
    text = "".join(parts)
    budget.text(len(text))
    return text


def _write(value: Any, budget: Budget, parts: list[str], depth: int) -> None:
    if depth > MAX_JSON_DEPTH:
        raise LimitError("a value is nested too deeply to print")
    if len(parts) % 1000 == 0:
        budget.items(1000)
        budget.check_time()
    if isinstance(value, Mapping):
        parts.append("{")
        for index, (key, item) in enumerate(value.items()):
            name = scalar_text(key)
            plain = _IDENTIFIER.fullmatch(name) and name not in ("null", "true", "false", "nan")
            shown = name if plain else "'" + encode_basestring(name)[1:-1].replace("'", "\\'") + "'"
            parts.append(("," if index else "") + shown + ":")
            _write(item, budget, parts, depth + 1)
        parts.append("}")
    elif is_list(value):
        parts.append("[")
        for index, item in enumerate(value):
            parts.append("," if index else "")
            _write(item, budget, parts, depth + 1)
        parts.append("]")
    elif isinstance(value, datetime | date):
        parts.append(to_json(value, budget).strip('"'))
    elif isinstance(value, float):
        text = java_double(value)
        parts.append(text.replace("E", "e") if "E" in text else f"{text}e0")
    else:
        parts.append(to_json(value, budget))


def from_ion(text: str, budget: Budget) -> Any:
    """The first value of an ION text."""
    return _Reader(text, budget).first()


class _Reader:
    def __init__(self, text: str, budget: Budget) -> None:
        self.text = text
        self.position = 0
        self.budget = budget
        self.count = 0

    def fail(self) -> NoReturn:
        shown = self.text[self.position : self.position + 20]
        raise ExpressionError(f"Invalid ion: unexpected `{shown or 'end'}`")

    def skip(self) -> None:
        if match := _SKIP.match(self.text, self.position):
            self.position = match.end()

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.position)
        if found:
            self.position = found.end()
        return found

    def take(self, text: str) -> bool:
        self.skip()
        if self.text.startswith(text, self.position):
            self.position += len(text)
            return True
        return False

    def first(self) -> Any:
        self.skip()
        if self.match(re.compile(r"\$ion_1_0\b")):
            self.skip()
        return None if self.position >= len(self.text) else self.value(0)

    def value(self, depth: int) -> Any:
        if depth > MAX_JSON_DEPTH:
            raise LimitError("the ion value is nested too deeply")
        self.count += 1
        if self.count % 1000 == 0:
            self.budget.items(1000)
            self.budget.check_time()
        self.skip()
        while self.match(_ANNOTATION):
            self.skip()
        if self.take("{"):
            return self.struct(depth)
        if self.take("["):
            return self.list(depth)
        return self.scalar()

    def struct(self, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.text.startswith("{", self.position):
            raise ExpressionError("Invalid ion: blobs are not read here")
        while not self.take("}"):
            name = self.name()
            if not self.take(":"):
                self.fail()
            result[name] = self.value(depth + 1)
            if not self.take(",") and not self.peek("}"):
                self.fail()
        return result

    def list(self, depth: int) -> list[Any]:
        result: list[Any] = []
        while not self.take("]"):
            result.append(self.value(depth + 1))
            if not self.take(",") and not self.peek("]"):
                self.fail()
        return result

    def peek(self, text: str) -> bool:
        self.skip()
        return self.text.startswith(text, self.position)

    def name(self) -> str:
        self.skip()
        if match := self.match(_IDENTIFIER):
            return match.group()
        text = self.string()
        if text is None:
            self.fail()
        return text

    def string(self) -> str | None:
        if self.text.startswith("'''", self.position):
            parts: list[str] = []
            while match := self.match(_LONG):
                parts.append(_unescaped(match.group(1)))
                self.skip()
            return "".join(parts) if parts else self.fail()
        match = self.match(_STRING) or self.match(_SYMBOL)
        return _unescaped(match.group(1)) if match else None

    def scalar(self) -> Any:
        text = self.string()
        if text is not None:
            return text
        if self.match(_NULL):
            return None
        if match := self.match(_TIMESTAMP):
            return match.group()
        if match := self.match(_NUMBER):
            return _number(match.group())
        if match := self.match(_IDENTIFIER):
            return {"true": True, "false": False}.get(match.group(), match.group())
        self.fail()


def _number(text: str) -> int | float:
    if len(text) > 400:
        raise LimitError("a number is too long")
    plain = text.replace("_", "").replace("d", "e").replace("D", "e")
    return int(plain) if re.fullmatch(r"[-+]?\d+", plain) else float(plain)


def _unescaped(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = match.group(1)
        if code == "\n":
            return ""
        if code[0] in "xuU" and len(code) > 1:
            try:
                return chr(int(code[1:], 16))
            except (ValueError, OverflowError):
                raise ExpressionError("Invalid ion: bad escape in a string") from None
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(character, text) if "\\" in text else text
