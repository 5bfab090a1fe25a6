"""The paths of the variables that a template reads, told from its text alone."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from penstock.expressions.errors import ExpressionError
from penstock.expressions.limits import Limits
from penstock.expressions.parser import parse
from penstock.flow.flow_names import Path
from penstock.flow.references import Difference, Reference, TemplateReads

_FALLS_BACK = frozenset({"??", "???"})
_FIRST_OPERAND = (nodes.BinExpr, nodes.Compare, nodes.Concat, nodes.Filter, nodes.Test, nodes.Call)


def template_reads(template: str) -> TemplateReads:
    """The paths in a template. One that can't be compiled has none: a check of its own reports
    it."""
    if len(template) > Limits().template_chars:
        return TemplateReads()
    try:
        parsed = parse(template)
    except ExpressionError:
        return TemplateReads()
    statements = [node for body in (parsed.body, *parsed.fragments) for node in body]
    bound = {name for macro in parsed.macros.values() for name in macro.parameters}
    bound |= {name.name for node in statements for name in node.find_all(nodes.Name)}
    return TemplateReads(
        tuple(read for node in statements for read in _references(node, False)),
        tuple(found for node in statements for found in _differences(node)),
        frozenset(bound | {"loop"}),
    )


def _references(node: nodes.Node, guarded: bool) -> Iterator[Reference]:
    """The paths below a node; ``guarded`` where a missing value is no error."""
    path = _path(node)
    if path:
        yield Reference(path, guarded)
        for key in _keys(node):
            yield from _references(key, False)
        return
    guarded_child = _guarded_child(node)
    for child in _children(node):
        yield from _references(child, guarded or child is guarded_child)


def _children(node: nodes.Node) -> Iterator[nodes.Node]:
    """The nodes below a node. The name of a method is no key of what it is called on."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getitem):
        yield node.node.node
        yield from node.args
    else:
        yield from node.iter_child_nodes()


def _guarded_child(node: nodes.Node) -> nodes.Node | None:
    """The part of `a ?? b`, `a | default(b)` and `a is defined` that may be missing."""
    if isinstance(node, nodes.Compare) and node.ops[0].op in _FALLS_BACK:
        return node.expr
    if isinstance(node, nodes.Filter) and node.name == "default":
        return node.node
    return node.node if isinstance(node, nodes.Test) and node.name == "defined" else None


def _differences(node: nodes.Node) -> Iterator[Difference]:
    """The subtractions below a node that begin with a path; `a.b-c-d.e` is one."""
    if isinstance(node, nodes.Sub):
        operands = list(_operands(node))
        first = _path(_last_operand(operands[0]))
        others = [_path(_first_operand(operand)) for operand in operands[1:]]
        if first:
            yield Difference(first, tuple(others))
        for operand in operands:
            yield from _differences(operand)
        return
    for child in _children(node):
        yield from _differences(child)


def _operands(node: nodes.Node) -> Iterator[nodes.Node]:
    if isinstance(node, nodes.Sub):
        yield from _operands(node.left)
        yield node.right
    else:
        yield node


def _first_operand(node: nodes.Node) -> nodes.Node:
    """The node that stands first in the text: `b` of `b.c | upper ~ 'x'`, which binds tighter than
    `-`."""
    while isinstance(node, _FIRST_OPERAND) and not _is_function(node):
        node = next(_children(node))
    return node


def _is_function(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Call) and not isinstance(node.node, nodes.Getitem)


def _last_operand(node: nodes.Node) -> nodes.Node:
    """The node that stands last in the text before a `-`."""
    while isinstance(node, nodes.BinExpr | nodes.Concat | nodes.UnaryExpr):
        node = list(node.iter_child_nodes())[-1]
    return node


def _path(node: nodes.Node) -> Path:
    """The path of a node up to the first key that is not fixed.

    `outputs.a['b'][x].c` has the path `("outputs", "a", "b")`.

    A number may stand in the place of the root, for what follows a dash: `step-2.value`.
    """
    if isinstance(node, nodes.Getattr):
        return (node.attr,)
    if isinstance(node, nodes.Const) and type(node.value) is int:
        return (node.value,)
    if isinstance(node, nodes.Getitem):
        before = _path(node.node)
        whole = bool(before) and all(isinstance(key, nodes.Const) for key in _keys(node.node))
        key = node.arg
        if whole and isinstance(key, nodes.Const) and isinstance(key.value, str | int):
            return (*before, key.value)
        return before
    return ()


def _keys(node: nodes.Node) -> Iterator[nodes.Node]:
    """The keys of a path, in the order in which they stand."""
    if isinstance(node, nodes.Getitem):
        yield from _keys(node.node)
        yield node.arg
