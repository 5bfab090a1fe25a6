"""The part of a running template that filters, functions, tests and methods may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from penstock.expressions.host import Host
from penstock.expressions.limits import Budget
from penstock.expressions.program import Program


class Rendering(Protocol):
    """A template that is being rendered: its variables, its host, and what it may still spend."""

    program: Program
    variables: Mapping[str, Any]
    host: Host
    budget: Budget
    render_text: Callable[[str, Any], str]
    """Renders another text with the same variables, host and budget."""
    scopes: list[dict[str, Any]]

    def optional(self, name: str) -> Any:
        """The value of a root variable, or None."""

    def fragment(self, number: int, scope: dict[str, Any] | None = None) -> str:
        """Run a body of its own to text, in a scope of its own."""

    def default(self, line: int, value: Callable[[], Any], replacement: Any) -> Any:
        """The value, or its replacement where it is undefined, null or empty."""
