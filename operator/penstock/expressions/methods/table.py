"""The tables of methods: one for each kind of value, one row for each method."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.expressions.errors import ExpressionError
from penstock.expressions.truth import kind
from penstock.expressions.values import is_list, is_number, plain

_SIGNATURE = re.compile(r"(\w+)\((.*)\)")
_PREFIXES = ("get", "is", "has", "")


@dataclass(frozen=True)
class Parameter:
    """An argument of a method: its name, what it has to be, and whether it may be left out."""

    name: str
    type: str
    optional: bool

    @classmethod
    def read(cls, text: str) -> Parameter:
        """Read a parameter as a row writes it: ``end: int?``."""
        name, _, type_ = text.partition(":")
        return cls(name.strip(), type_.strip().rstrip("?"), type_.endswith("?"))

    def take(self, method: str, value: Any) -> Any:
        """The argument as the method wants it, or an error that says what it should be."""
        value = plain(value)
        if self.type == "any" or _TYPES[self.type](value):
            return list(value) if self.type == "list" else value
        raise ExpressionError(
            f"`{method}()` takes {_WORDS[self.type]} as its `{self.name}`, not {kind(value)}"
        )


_TYPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": is_number,
    "list": is_list,
    "date": lambda value: isinstance(value, str) or hasattr(value, "isoformat"),
}
_WORDS = {
    "text": "text",
    "int": "an integer",
    "number": "a number",
    "list": "a list",
    "date": "a date",
}


@dataclass(frozen=True)
class Method:
    """One row: how it is called, what it gives, an example, and what it does."""

    name: str
    parameters: tuple[Parameter, ...]
    gives: str
    example: str
    call: Callable[..., Any]
    """The function behind the method: it takes the running template, the value and the
    arguments."""

    @property
    def signature(self) -> str:
        shown = [f"{item.name}?" if item.optional else item.name for item in self.parameters]
        return f"{self.name}({', '.join(shown)})"

    def accepts(self, count: int) -> bool:
        required = sum(not parameter.optional for parameter in self.parameters)
        return required <= count <= len(self.parameters)

    def arguments(self, values: Sequence[Any]) -> list[Any]:
        pairs = zip(self.parameters, values, strict=False)
        return [parameter.take(self.name, value) for parameter, value in pairs]


@dataclass
class Methods:
    """The methods of one kind of value."""

    of: str
    """What a message calls the values."""
    rows: dict[str, Method] = field(default_factory=dict)
    """The methods by their name in lower case: Pebble does not tell the cases apart."""

    def add(self, signature: str, gives: str, example: str, call: Callable[..., Any]) -> None:
        """Add a row: ``substring(begin: int, end: int?)``."""
        match = _SIGNATURE.fullmatch(signature)
        assert match, signature
        name, arguments = match.groups()
        parameters = tuple(Parameter.read(text) for text in arguments.split(",") if text)
        self.rows[name.lower()] = Method(name, parameters, gives, example, call)

    def add_all(self, rows: Iterable[tuple[str, str, str, Callable[..., Any]]]) -> None:
        for row in rows:
            self.add(*row)

    def named(self, name: str) -> Iterator[Method]:
        """The methods that a name may mean, in this order: ``getX``, ``isX``, ``hasX``, ``X``."""
        for prefix in _PREFIXES:
            method = self.rows.get(f"{prefix}{name}".lower())
            if method is not None:
                yield method

    def find(self, name: str, count: int) -> Method | None:
        """The method that a call of this name with so many arguments means."""
        return next((method for method in self.named(name) if method.accepts(count)), None)
