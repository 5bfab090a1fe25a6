"""Parse what stands inside the delimiters into Jinja2's expression nodes.

Precedence climbing with Pebble's own table: ``~`` binds tighter than ``|``, ``??`` tighter than
both, and ``not`` and signs tightest of all. Node kinds keep Jinja2's names, their meaning is
Pebble's: see ``codegen``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from jinja2 import nodes

from penstock.expressions import lexer
from penstock.expressions.errors import ExpressionError, UnknownNameError
from penstock.expressions.lexer import Token
from penstock.expressions.methods import calls as methods
from penstock.expressions.registry import FILTERS, FUNCTIONS, HOST_FUNCTIONS, TESTS, Entry
from penstock.expressions.suggestions import unexpected, unknown

MAX_NESTING = 60
MAX_CHAIN = 60

_PRECEDENCE = {
    "or": 10, "and": 15,
    "is": 20, "is not": 20, "contains": 20,
    "==": 30, "equals": 30, "!=": 30, ">": 30, "<": 30, ">=": 30, "<=": 30,
    "+": 40, "-": 40,
    "*": 60, "/": 60, "%": 60,
    "|": 100, "~": 110,
    "..": 120, "??": 120, "???": 120, "isIn": 120, "isNotIn": 120,
}  # fmt: skip
_UNARY: dict[str, type[nodes.UnaryExpr]] = {"not": nodes.Not, "-": nodes.Neg, "+": nodes.Pos}
_UNARY_PRECEDENCE = 500
_ARITHMETIC: dict[str, type[nodes.BinExpr]] = {
    "+": nodes.Add, "-": nodes.Sub, "*": nodes.Mul, "/": nodes.Div, "%": nodes.Mod,
    "and": nodes.And, "or": nodes.Or,
}  # fmt: skip
_CONSTANTS = {
    "true": True, "TRUE": True, "false": False, "FALSE": False,
    "null": None, "NULL": None, "none": None, "NONE": None,
}  # fmt: skip
_MAX_LONG = 2**63 - 1
# `-9223372036854775808` is read as minus a literal, so this literal has to pass.
_MAX_DIGITS = 300


class Grammar:
    """The tokens of a template and how to read an expression from them."""

    def __init__(self, tokens: list[Token], macros: frozenset[str]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.macros = macros

    # --- tokens ---------------------------------------------------------------------------------

    @property
    def current(self) -> Token:
        return self.tokens[self.position]

    def next(self) -> Token:
        token = self.tokens[self.position]
        if self.position < len(self.tokens) - 1:
            self.position += 1
        return token

    def at(self, kind: str, value: str | None = None) -> bool:
        token = self.tokens[self.position]
        return token.type == kind and (value is None or token.value == value)

    def accept(self, kind: str, value: str | None = None) -> Token | None:
        return self.next() if self.at(kind, value) else None

    def expect(self, kind: str, value: str | None = None) -> Token:
        if self.at(kind, value):
            return self.next()
        wanted = {lexer.PRINT_END: "`}}`", lexer.TAG_END: "`%}`"}.get(kind)
        self.fail(f"expected {wanted or (f'`{value}`' if value else f'a {kind}')}, ")

    def fail(self, prefix: str = "") -> NoReturn:
        token = self.current
        shown = f"`{token.value}`" if token.type != lexer.END else token.value
        raise ExpressionError(f"{prefix}unexpected {shown}{self.hint(token)}", line=token.line)

    def hint(self, token: Token) -> str:
        before = self.tokens[self.position - 1].type
        if before == lexer.PRINT_START and token.value == ".":
            return "; put text that is not Kestra's between `{% raw %}` and `{% endraw %}`"
        return "" if token.type == lexer.STRING else unexpected(token.value)

    # --- operators ------------------------------------------------------------------------------

    def expression(self, minimum: int = 0) -> nodes.Expr:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise ExpressionError("the expression is nested too deeply", line=self.current.line)
        try:
            node = self.operators(self.operand(), minimum)
            return self.ternary(node) if minimum == 0 else node
        finally:
            self.depth -= 1

    def operators(self, left: nodes.Expr, minimum: int) -> nodes.Expr:
        chain = 0
        while self.at(lexer.OPERATOR):
            precedence = _PRECEDENCE.get(self.current.value)
            if precedence is None or precedence < minimum:
                break
            token = self.next()
            left = self.binary(token, left, precedence)
            # `a ~ b ~ …`, `a and b and …` stay flat; anything else grows one level deeper.
            chain += token.value not in ("~", "and", "or")
            if chain > MAX_CHAIN:
                raise ExpressionError("the expression is too long: use `set`", line=token.line)
        return left

    def binary(self, token: Token, left: nodes.Expr, precedence: int) -> nodes.Expr:
        operator, line = token.value, token.line
        if operator == "|":
            return self.filter(left)
        if operator in ("is", "is not"):
            test = self.test(left)
            return test if operator == "is" else nodes.Not(test, lineno=line)
        right = self.expression(precedence + 1)
        if operator in _ARITHMETIC:
            return _ARITHMETIC[operator](left, right, lineno=line)
        if operator == "~":
            parts = left.nodes if isinstance(left, nodes.Concat) else [left]
            return nodes.Concat([*parts, right], lineno=line)
        operator = "==" if operator == "equals" else operator
        return nodes.Compare(left, [nodes.Operand(operator, right, lineno=line)], lineno=line)

    def ternary(self, condition: nodes.Expr) -> nodes.Expr:
        token = self.accept(lexer.PUNCTUATION, "?")
        if token is None:
            return condition
        yes = self.expression()
        self.expect(lexer.PUNCTUATION, ":")
        return nodes.CondExpr(condition, yes, self.expression(), lineno=token.line)

    def filter(self, value: nodes.Expr) -> nodes.Expr:
        token = self.expect(lexer.NAME)
        args, named = self.arguments() if self.at(lexer.PUNCTUATION, "(") else ([], [])
        entry = self.entry("filter", token, FILTERS)
        self.check_arguments(f"the filter `{token.value}`", entry, token.line, args, named)
        return nodes.Filter(value, token.value, args, named, None, None, lineno=token.line)

    def test(self, value: nodes.Expr) -> nodes.Expr:
        token = self.next()
        if token.type not in (lexer.NAME, lexer.OPERATOR):
            self.position -= 1
            self.fail("expected the name of a test, ")
        args, named = self.arguments() if self.at(lexer.PUNCTUATION, "(") else ([], [])
        entry = self.entry("test", token, TESTS)
        self.check_arguments(f"the test `{token.value}`", entry, token.line, args, named)
        return nodes.Test(value, token.value, args, named, None, None, lineno=token.line)

    def entry(self, what: str, token: Token, table: dict[str, Entry]) -> Entry:
        found = table.get(token.value)
        if found is None:
            raise UnknownNameError(unknown(what, token.value, table), line=token.line)
        return found

    def check_arguments(
        self,
        what: str,
        entry: Entry,
        line: int,
        args: list[nodes.Expr],
        named: list[nodes.Keyword],
    ) -> None:
        problem = entry.problem(len(args), [keyword.key for keyword in named])
        if problem:
            raise ExpressionError(f"{what} {problem}", line=line)

    # --- operands -------------------------------------------------------------------------------

    def operand(self) -> nodes.Expr:
        token = self.current
        if token.type == lexer.OPERATOR and token.value in _UNARY:
            self.next()
            inner = self.expression(_UNARY_PRECEDENCE)
            return _UNARY[token.value](inner, lineno=token.line)
        if self.accept(lexer.PUNCTUATION, "("):
            inner = self.expression()
            self.expect(lexer.PUNCTUATION, ")")
            return self.postfix(inner)
        return self.literal(token)

    def literal(self, token: Token) -> nodes.Expr:
        readers: dict[str, Callable[[], nodes.Expr]] = {
            lexer.NAME: self.name,
            lexer.NUMBER: self.number,
            lexer.STRING: self.text,
            lexer.INTERPOLATION_START: self.text,
        }
        if token.type in readers:
            return self.postfix(readers[token.type]())
        if self.at(lexer.PUNCTUATION, "["):
            return self.postfix(self.list_literal())
        if self.at(lexer.PUNCTUATION, "{"):
            return self.postfix(self.map_literal())
        if token.type == lexer.PUNCTUATION and token.value == "?":
            self.fail("write `a ?? b` without a space; ")
        self.fail()

    def name(self) -> nodes.Expr:
        token = self.next()
        if token.value in _CONSTANTS:
            return nodes.Const(_CONSTANTS[token.value], lineno=token.line)
        if self.at(lexer.PUNCTUATION, "("):
            return self.call(token)
        return variable(token.value, token.line)

    def call(self, token: Token) -> nodes.Expr:
        name = token.value
        args, named = self.arguments()
        if name not in self.macros and name not in HOST_FUNCTIONS:
            entry = self.entry("function", token, FUNCTIONS)
            self.check_arguments(f"`{name}()`", entry, token.line, args, named)
        target = nodes.Const(name, lineno=token.line)
        return nodes.Call(target, args, named, None, None, lineno=token.line)

    def number(self) -> nodes.Expr:
        token = self.next()
        digits = token.value.removesuffix("L")
        if len(digits) > _MAX_DIGITS:
            raise ExpressionError("the number is too large", line=token.line)
        value: int | float = float(digits) if "." in digits else int(digits)
        if isinstance(value, int) and value > _MAX_LONG + 1:
            raise ExpressionError("the number does not fit in 64 bits", line=token.line)
        return nodes.Const(value, lineno=token.line)

    def text(self) -> nodes.Expr:
        """Read quoted text, with its ``#{ }`` parts put in between."""
        line = self.current.line
        parts: list[nodes.Expr] = []
        previous = ""
        while True:
            if self.at(lexer.STRING) and previous != lexer.STRING:
                parts.append(nodes.Const(self.next().value, lineno=line))
                previous = lexer.STRING
            elif self.accept(lexer.INTERPOLATION_START):
                parts.append(self.expression())
                self.expect(lexer.INTERPOLATION_END)
                previous = lexer.INTERPOLATION_END
            else:
                break
        return parts[0] if len(parts) == 1 and previous == lexer.STRING else _joined(parts, line)

    def list_literal(self) -> nodes.Expr:
        line = self.next().line
        items: list[nodes.Expr] = []
        while not self.accept(lexer.PUNCTUATION, "]"):
            if items:
                self.expect(lexer.PUNCTUATION, ",")
            items.append(self.expression())
        return nodes.List(items, lineno=line)

    def map_literal(self) -> nodes.Expr:
        line = self.next().line
        pairs: list[nodes.Pair] = []
        while not self.accept(lexer.PUNCTUATION, "}"):
            if pairs:
                self.expect(lexer.PUNCTUATION, ",")
            key = self.expression()
            self.expect(lexer.PUNCTUATION, ":")
            pairs.append(nodes.Pair(key, self.expression(), lineno=line))
        return nodes.Dict(pairs, lineno=line)

    # --- what follows an operand ----------------------------------------------------------------

    def postfix(self, node: nodes.Expr) -> nodes.Expr:
        chain = 0
        while self.current.type == lexer.PUNCTUATION:
            if self.current.value == ".":
                node = self.attribute(node)
            elif self.current.value == "[":
                line = self.next().line
                key = self.expression()
                self.expect(lexer.PUNCTUATION, "]")
                node = nodes.Getitem(node, key, "load", lineno=line)
            elif self.current.value == "(":
                self.fail("only a function can be called, ")
            else:
                break
            chain += 1
            if chain > MAX_CHAIN:
                raise ExpressionError("the path is too long", line=self.current.line)
        return node

    def attribute(self, node: nodes.Expr) -> nodes.Expr:
        self.next()
        if not self.at(lexer.NAME) and not self.at(lexer.NUMBER):
            self.fail("expected a name after `.`, ")
        token = self.next()
        key = nodes.Const(token.value, lineno=token.line)
        attribute = nodes.Getitem(node, key, "load", lineno=token.line)
        return self.method(attribute, token) if self.at(lexer.PUNCTUATION, "(") else attribute

    def method(self, attribute: nodes.Getitem, token: Token) -> nodes.Expr:
        args, named = self.arguments()
        if named:
            raise ExpressionError(
                f"the arguments of the method `{token.value}()` have no names", line=token.line
            )
        methods.check(token.value, len(args), token.line)
        return nodes.Call(attribute, args, [], None, None, lineno=token.line)

    def arguments(self) -> tuple[list[nodes.Expr], list[nodes.Keyword]]:
        self.expect(lexer.PUNCTUATION, "(")
        args: list[nodes.Expr] = []
        named: list[nodes.Keyword] = []
        while not self.accept(lexer.PUNCTUATION, ")"):
            if args or named:
                self.expect(lexer.PUNCTUATION, ",")
            if self.at_named_argument():
                key = self.next()
                self.next()
                if any(keyword.key == key.value for keyword in named):
                    raise ExpressionError(f"`{key.value}` is given twice", line=key.line)
                named.append(nodes.Keyword(key.value, self.expression(), lineno=key.line))
            elif named:
                self.fail("positional arguments come before named ones; ")
            else:
                args.append(self.expression())
        return args, named

    def at_named_argument(self) -> bool:
        if not self.at(lexer.NAME) or self.position + 1 >= len(self.tokens):
            return False
        follower = self.tokens[self.position + 1]
        return follower.type == lexer.PUNCTUATION and follower.value == "="


def variable(name: str, line: int) -> nodes.Expr:
    """The node of a root variable. Pebble looks it up when it is used, in the scopes of that
    moment."""
    return nodes.Getattr(nodes.ContextReference(lineno=line), name, "load", lineno=line)


def _joined(parts: list[nodes.Expr], line: int) -> nodes.Expr:
    """The node of interpolated text, which is text even if it is a single ``#{ }``."""
    if len(parts) == 1:
        parts = [nodes.Const("", lineno=line), *parts]
    return nodes.Concat(parts, lineno=line)
