"""The variables and functions that a template reads, as far as its text tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from penstock.expressions.parser import parse

_NOT_FIXED = object()


@dataclass(frozen=True)
class Call:
    """A function that a template calls."""

    name: str
    args: tuple[Any, ...] | None
    """The arguments; None where one of them is known only when the template runs."""
    named: Mapping[str, Any]


@dataclass(frozen=True)
class Names:
    """The names in a template."""

    variables: frozenset[str]
    """The root variables, and the names that the template itself binds."""
    calls: tuple[Call, ...]


def names(template: str) -> Names:
    """The names in a template. Raises ``ExpressionError`` for one that can't be read."""
    parsed = parse(template)
    bodies = [parsed.body, *parsed.fragments]
    found = [node for body in bodies for statement in body for node in _all(statement)]
    return Names(
        frozenset(node.attr for node in found if isinstance(node, nodes.Getattr)),
        tuple(
            _call(node, node.node.value)
            for node in found
            if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Const)
        ),
    )


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _all(child)


def _call(node: nodes.Call, name: str) -> Call:
    args = tuple(_fixed(arg) for arg in node.args)
    named = {item.key: _fixed(item.value) for item in node.kwargs}
    if _NOT_FIXED in (*args, *named.values()):
        return Call(name, None, {})
    return Call(name, args, named)


def _fixed(node: nodes.Node) -> Any:
    return node.value if isinstance(node, nodes.Const) else _NOT_FIXED
