"""The parts of a parsed template.

Expressions and statements are Jinja2's own nodes. What Jinja2 compiles differently (a macro's
body, ``filter`` sections, blocks) becomes a *fragment*: a body that is compiled by itself and run
by its number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jinja2 import nodes


@dataclass
class Macro:
    """A macro: parameters, the fragment of each default (or none), and of its body."""

    parameters: list[str]
    defaults: dict[str, int]
    body: int


@dataclass
class Parsed:
    """A template after parsing."""

    body: list[nodes.Node] = field(default_factory=list)
    fragments: list[list[nodes.Node]] = field(default_factory=list)
    macros: dict[str, Macro] = field(default_factory=dict)
    blocks: dict[str, int] = field(default_factory=dict)

    def add_fragment(self, body: list[nodes.Node]) -> int:
        """Keep a body to be compiled by itself; its number."""
        self.fragments.append(body)
        return len(self.fragments) - 1
