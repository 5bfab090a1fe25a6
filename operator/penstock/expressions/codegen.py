"""Give Jinja2's expression nodes Pebble's meaning when they are compiled.

Every operation becomes a call of the running :class:`penstock.expressions.run.Run` (``context`` in
the generated code). Generated code never touches a value by itself, so what a template can reach
is exactly what ``Run`` hands out. Operands that may be missing (``??``, ``default``, ``is
defined``) are passed as functions, called where a missing variable is caught.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame

_LAZY_OPERATORS = {"??": "first_value", "???": "first_defined"}
_BOOLEAN_OPERATORS = frozenset({"==", "!=", ">", "<", ">=", "<=", "contains", "isIn", "isNotIn"})


class PebbleCodeGenerator(CodeGenerator):
    """Compiles statements in Jinja2's shape and operations as calls of ``Run``.

    Scopes are kept at run time, as ``set`` needs.
    """

    # --- statements -----------------------------------------------------------------------------

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:
        """Yield values, not text: a single expression can keep its type."""
        for child in node.nodes:
            self.writeline("yield ", child)
            if isinstance(child, nodes.TemplateData):
                self.write(repr(child.data))
            else:
                self.visit(child, frame)

    def visit_If(self, node: nodes.If, frame: Frame) -> None:
        for keyword, branch in [("if ", node), *(("elif ", branch) for branch in node.elif_)]:
            self.writeline(keyword, branch)
            self.condition(branch.test, frame)
            self.write(":")
            self.suite(branch.body, frame)
        if node.else_:
            self.writeline("else:")
            self.suite(node.else_, frame)

    def visit_For(self, node: nodes.For, frame: Frame) -> None:
        assert isinstance(node.target, nodes.Name)
        items = self.temporary_identifier()
        self.writeline(f"{items} = ", node)
        self.method("loop_items", node.lineno, [node.iter], frame)
        name = repr(node.target.name)
        self.writeline(f"for _ in context.loop({node.lineno}, {items}, {name}):")
        self.suite(node.body, frame)
        if node.else_:
            self.writeline(f"if {items} is not None and not {items}:")
            self.suite(node.else_, frame)

    def visit_Assign(self, node: nodes.Assign, frame: Frame) -> None:
        assert isinstance(node.target, nodes.Name)
        self.newline(node)
        self.method("assign", node.lineno, [nodes.Const(node.target.name), node.node], frame)

    def suite(self, body: Iterable[nodes.Node], frame: Frame) -> None:
        self.indent()
        self.writeline("pass")
        self.blockvisit(body, frame)
        self.outdent()

    # --- expressions ----------------------------------------------------------------------------

    def method(
        self,
        name: str,
        line: int,
        args: Sequence[nodes.Node],
        frame: Frame,
        named: Sequence[nodes.Keyword | nodes.Pair] = (),
    ) -> None:
        """Write the call ``context.name(line, *args, **named)``."""
        self.write(f"context.{name}({line}")
        for arg in args:
            self.write(", ")
            self.visit(arg, frame)
        if named:
            # A mapping, as an argument may be called like a Python keyword.
            self.write(", **{")
            for keyword in named:
                self.write(f"{keyword.key!r}: ")
                self.visit(keyword.value, frame)
                self.write(", ")
            self.write("}")
        self.write(")")

    def lazy(self, node: nodes.Expr, frame: Frame) -> None:
        self.write("lambda: ")
        self.visit(node, frame)

    def condition(self, node: nodes.Node, frame: Frame) -> None:
        """Write a condition as a Python truth value, by Pebble's rule."""
        if _is_boolean(node):
            self.visit(node, frame)
        else:
            self.method("truth", node.lineno, [node], frame)

    def visit_ContextReference(self, node: nodes.ContextReference, frame: Frame) -> None:
        raise AssertionError("the context is no value")

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:
        self.write(f"context.variable({node.lineno}, {node.attr!r})")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        keys: list[nodes.Expr] = []
        owner: nodes.Expr = node
        while isinstance(owner, nodes.Getitem):
            keys.append(owner.arg)
            owner = owner.node
        self.method("path", node.lineno, [owner, *reversed(keys)], frame)

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:
        self.write(repr(node.value))

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self.write("[")
        for item in node.items:
            self.visit(item, frame)
            self.write(", ")
        self.write("]")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self.write(f"context.map({node.lineno}, [")
        for pair in node.items:
            self.write("(")
            self.visit(pair.key, frame)
            self.write(", ")
            self.visit(pair.value, frame)
            self.write("), ")
        self.write("])")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.method("concat", node.lineno, node.nodes, frame)

    def visit_And(self, node: nodes.BinExpr, frame: Frame) -> None:
        self.logic(nodes.And, " and ", node, frame)

    def visit_Or(self, node: nodes.BinExpr, frame: Frame) -> None:
        self.logic(nodes.Or, " or ", node, frame)

    def logic(
        self, kind: type[nodes.BinExpr], word: str, node: nodes.BinExpr, frame: Frame
    ) -> None:
        parts: list[nodes.Expr] = []
        left: nodes.Expr = node
        while isinstance(left, kind):
            parts.append(left.right)
            left = left.left
        self.write("(")
        self.condition(left, frame)
        for part in reversed(parts):
            self.write(word)
            self.condition(part, frame)
        self.write(")")

    def visit_Not(self, node: nodes.UnaryExpr, frame: Frame) -> None:
        self.write("(not ")
        self.condition(node.node, frame)
        self.write(")")

    def visit_CondExpr(self, node: nodes.CondExpr, frame: Frame) -> None:
        assert node.expr2 is not None
        self.write("(")
        self.visit(node.expr1, frame)
        self.write(" if ")
        self.condition(node.test, frame)
        self.write(" else ")
        self.visit(node.expr2, frame)
        self.write(")")

    def arithmetic(self, node: nodes.BinExpr, frame: Frame) -> None:
        operator = nodes.Const(node.operator)
        self.method("binary", node.lineno, [operator, node.left, node.right], frame)

    def visit_Add(self, node: nodes.BinExpr, frame: Frame) -> None:
        self.arithmetic(node, frame)

    def visit_Sub(self, node: nodes.BinExpr, frame: Frame) -> None:
        self.arithmetic(node, frame)

    def visit_Mul(self, node: nodes.BinExpr, frame: Frame) -> None:
        self.arithmetic(node, frame)

    def visit_Div(self, node: nodes.BinExpr, frame: Frame) -> None:
        self.arithmetic(node, frame)

    def visit_Mod(self, node: nodes.BinExpr, frame: Frame) -> None:
        self.arithmetic(node, frame)

    def visit_Neg(self, node: nodes.UnaryExpr, frame: Frame) -> None:
        minus = [nodes.Const("*"), nodes.Const(-1), node.node]
        self.method("binary", node.lineno, minus, frame)

    def visit_Pos(self, node: nodes.UnaryExpr, frame: Frame) -> None:
        plus = [nodes.Const("*"), nodes.Const(1), node.node]
        self.method("binary", node.lineno, plus, frame)

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:
        operand = node.ops[0]
        if operand.op in _LAZY_OPERATORS:
            self.write(f"context.{_LAZY_OPERATORS[operand.op]}(")
            self.lazy(node.expr, frame)
            self.write(", ")
            self.lazy(operand.expr, frame)
            self.write(")")
        else:
            operator = nodes.Const(operand.op)
            self.method("binary", node.lineno, [operator, node.expr, operand.expr], frame)

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:
        assert node.node is not None
        if node.name == "default":
            self.write(f"context.default({node.lineno}, ")
            self.lazy(node.node, frame)
            self.write(", ")
            self.visit(node.args[0] if node.args else node.kwargs[0].value, frame)
            self.write(")")
        else:
            args = [nodes.Const(node.name), node.node, *node.args]
            self.method("filter", node.lineno, args, frame, node.kwargs)

    def visit_Test(self, node: nodes.Test, frame: Frame) -> None:
        if node.name == "defined":
            self.write("context.is_defined(")
            self.lazy(node.node, frame)
            self.write(")")
        else:
            args = [nodes.Const(node.name), node.node, *node.args]
            self.method("test", node.lineno, args, frame, node.kwargs)

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:
        if isinstance(node.node, nodes.Getitem):  # a method of a value
            args = [node.node.arg, node.node.node, *node.args]
            self.method("invoke", node.lineno, args, frame)
        else:
            self.method("call", node.lineno, [node.node, *node.args], frame, node.kwargs)

    def visit_EnvironmentAttribute(self, node: nodes.EnvironmentAttribute, frame: Frame) -> None:
        self.write(f"context.fragment({node.name})")


def _is_boolean(node: nodes.Node) -> bool:
    """Whether the compiled node gives True or False by itself."""
    if isinstance(node, nodes.Compare):
        return node.ops[0].op in _BOOLEAN_OPERATORS
    if isinstance(node, nodes.Const):
        return isinstance(node.value, bool)
    return isinstance(node, nodes.And | nodes.Or | nodes.Not | nodes.Test)
