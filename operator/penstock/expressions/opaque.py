"""Rendering with values that are not known here: a mark stands in the place of each.

A template may pass such a value on, put it beside other text, bind it to a name or choose whether
to use it. Whatever would have to look at it (a filter, a comparison, a condition) is refused, and
the mark's owner learns of it: only where the value is known can the template be rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from penstock.expressions.marks import Opaque
from penstock.expressions.methods.calls import PASS_ON
from penstock.expressions.run import Run
from penstock.expressions.values import Entry, is_empty

_PASS_ON = frozenset({"render", "renderOnce", "block"})
"""Functions that put text together and look at none of it."""


class OpaqueRun(Run):
    """A running template that looks at no opaque value."""

    __slots__ = ("_opaque",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        assert self.host.opaque is not None
        self._opaque: Opaque = self.host.opaque

    def path(self, line: int, value: Any, *keys: Any) -> Any:
        self._opaque.refuse(*keys, value if isinstance(value, str) else None)
        return super().path(line, value, *keys)

    def property(self, line: int, value: Any, name: Any) -> Any:
        self._opaque.refuse(value if isinstance(value, str) else None)
        return super().property(line, value, name)

    def invoke(self, line: int, name: str, value: Any, *args: Any) -> Any:
        self._opaque.refuse(*args, *_looked_at(name, value))
        return super().invoke(line, name, value, *args)

    def map(self, line: int, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
        self._opaque.refuse(*(key for key, _ in pairs))
        return super().map(line, pairs)

    def truth(self, line: int, value: Any) -> bool:
        self._opaque.refuse(value)
        return super().truth(line, value)

    def loop_items(self, line: int, value: Any) -> list[Any] | None:
        self._opaque.refuse(value if isinstance(value, str) else None)
        return super().loop_items(line, value)

    def default(self, line: int, value: Callable[[], Any], replacement: Any) -> Any:
        found = super().default(line, value, None)
        self._opaque.refuse(found)
        return replacement if is_empty(found) else found

    def concat(self, line: int, *parts: Any) -> str:
        self._opaque.refuse(*(part for part in parts if not isinstance(part, str)))
        return super().concat(line, *parts)

    def binary(self, line: int, operator: str, left: Any, right: Any) -> Any:
        self._opaque.refuse(left, right)
        return super().binary(line, operator, left, right)

    def filter(self, line: int, name: str, value: Any, *args: Any, **named: Any) -> Any:
        self._opaque.refuse(value, args, named)
        return super().filter(line, name, value, *args, **named)

    def test(self, line: int, name: str, value: Any, *args: Any, **named: Any) -> bool:
        self._opaque.refuse(value, args, named)
        return super().test(line, name, value, *args, **named)

    def call(self, line: int, name: str, *args: Any, **named: Any) -> Any:
        if name not in self.program.macros and name not in _PASS_ON:
            self._opaque.refuse(args, named)
        return super().call(line, name, *args, **named)

    def fragment_values(self, number: int, scope: dict[str, Any] | None = None) -> list[Any]:
        values = super().fragment_values(number, scope)
        self.refuse_print(*values)
        return values

    def refuse_print(self, *values: Any) -> None:
        """Refuse to print a list or map with an opaque value: JSON changes the characters of a
        text."""
        self._opaque.refuse(*(value for value in values if not isinstance(value, str)))


def _looked_at(name: str, value: Any) -> list[Any]:
    """The parts of its value that a method looks at: all, or the keys where it hands on what it
    finds."""
    if isinstance(value, str) or name.lower() not in PASS_ON:
        return [value]
    if isinstance(value, Entry):
        return []
    return list(value) if isinstance(value, Mapping) else []
