"""The names of the language: every filter, function and test, and the arguments each takes.

A family module decorates plain Python functions. The arguments of a call are written out in the
template, so they are checked when it is compiled, not when it runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry:
    """A named function with the argument names that a template may use."""

    name: str
    call: Callable[..., Any]
    parameters: tuple[str, ...]
    required: int
    variadic: bool
    takes_null: bool

    def problem(self, positional: int, named: Sequence[str]) -> str | None:
        """The fault of these arguments; None where they are right."""
        if self.variadic:
            return None
        if positional + len(named) > len(self.parameters) and positional > len(self.parameters):
            return f"takes at most {len(self.parameters)} argument(s), {positional} are given"
        for name in named:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                return f"has no argument `{name}` (its arguments: {known})"
        given = {*self.parameters[:positional], *named}
        if len(given) < positional + len(named):
            return "gets the same argument twice"
        missing = [name for name in self.parameters[: self.required] if name not in given]
        return f"expects an argument `{missing[0]}`" if missing else None


FILTERS: dict[str, Entry] = {}
FUNCTIONS: dict[str, Entry] = {}
TESTS: dict[str, Entry] = {}

# Functions that read something outside; the host gives those that it has.
HOST_FUNCTIONS = frozenset(
    [
        "secret",
        "kv",
        "read",
        "fileURI",
        "fileSize",
        "fileExists",
        "isFileEmpty",
        "fileEmpty",
        "http",
        "errorLogs",
        "credential",
        "appLink",
        "assets",
        "iterationOutput",
        "parentOutput",
    ]
)


def _entry(name: str, call: Callable[..., Any], skip: int, takes_null: bool) -> Entry:
    parameters = list(inspect.signature(call).parameters.values())[skip:]
    plain = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    return Entry(
        name=name,
        call=call,
        parameters=tuple(p.name for p in plain),
        required=sum(p.default is p.empty for p in plain),
        variadic=len(plain) < len(parameters),
        takes_null=takes_null,
    )


def _register(
    table: dict[str, Entry], names: tuple[str, ...], skip: int, takes_null: bool
) -> Callable[[F], F]:
    def decorate(call: F) -> F:
        for name in names:
            table[name] = _entry(name, call, skip, takes_null)
        return call

    return decorate


def register_filter(*names: str, takes_null: bool = False) -> Callable[[F], F]:
    """Register a filter ``f(run, value, …)``. Unless it takes null, null gives null without a
    call."""
    return _register(FILTERS, names, 2, takes_null)


def register_function(*names: str) -> Callable[[F], F]:
    """Register a function ``f(run, …)``."""
    return _register(FUNCTIONS, names, 1, True)


def register_test(*names: str) -> Callable[[F], F]:
    """Register a test ``f(run, value)`` of ``is`` and ``is not``."""
    return _register(TESTS, names, 2, True)
