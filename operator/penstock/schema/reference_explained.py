"""Reads the docstring of an operator, filter, function or test: a sentence or two, then examples.

An example is a template, an arrow and what it renders to, each on a line of its own or, where it is
too long, on two: `{{ 'a' | upper }} → A`. `⏎` stands for a line break. A result that begins with
`error: ` is (the beginning of) the message with which the template fails.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.schema.reference_docstrings import prose

ARROW = "→"
BREAK = "⏎"
ERROR = "error: "


@dataclass(frozen=True)
class Example:
    """An example: a template and the text that it renders to."""

    template: str
    result: str

    def line(self) -> str:
        return f"{self.template} {ARROW} {self.result}".rstrip()


@dataclass(frozen=True)
class Explained:
    """The text and the examples of one entry."""

    text: str
    examples: tuple[Example, ...]


def explain(docstring: str | None) -> Explained:
    """Take the docstring of an entry apart."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    first = next((at for at, line in enumerate(lines) if _begins(line)), len(lines))
    return Explained(prose("\n".join(lines[:first])), tuple(_examples(lines[first:])))


def _examples(lines: list[str]) -> Iterator[Example]:
    whole: list[str] = []
    for line in [*lines, ""]:
        if whole and (_begins(line) or not line.strip()):
            template, _, result = " ".join(whole).partition(ARROW)
            yield Example(template.strip(), result.strip())
            whole = []
        if line.strip():
            whole.append(line.strip())


def _begins(line: str) -> bool:
    return line.startswith(("{{", "{%", "{#"))
