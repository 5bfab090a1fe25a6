"""Parse a whole template: text, prints and tags."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import nodes

from penstock.expressions import lexer
from penstock.expressions.errors import ExpressionError
from penstock.expressions.grammar import Grammar
from penstock.expressions.lexer import Token, tokenize
from penstock.expressions.suggestions import unknown
from penstock.expressions.syntax import Macro, Parsed

# Python allows 20 loops inside each other; fragments start again at none.
MAX_TAG_DEPTH = 16
_RESERVED = frozenset({"true", "false", "null", "none"})
_REMOVED = frozenset(
    ["autoescape", "extends", "embed", "flush", "import", "include", "parallel", "cache", "from"]
)
_KNOWN_TAGS = ("if", "elseif", "for", "set", "macro", "block", "filter", "verbatim", "raw")


def parse(source: str) -> Parsed:
    """Read a template. Raises :class:`ExpressionError` with the line of what is wrong."""
    tokens = tokenize(source)
    return _Parser(tokens).template()


def _macro_names(tokens: list[Token]) -> frozenset[str]:
    """The names of a template's macros, which can be called before the place where they are
    written."""
    return frozenset(
        name.value
        for start, tag, name in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if start.type == lexer.TAG_START and tag.value == "macro" and name.type == lexer.NAME
    )


class _Parser(Grammar):
    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens, _macro_names(tokens))
        self.parsed = Parsed()
        self.tag_depth = 0

    def template(self) -> Parsed:
        body, _ = self.body(())
        self.parsed.body = body
        return self.parsed

    def body(
        self, ends: tuple[str, ...], opened: Token | None = None
    ) -> tuple[list[nodes.Node], str]:
        """Read statements up to one of the ending tags; gives them and the tag, whose name is
        consumed."""
        self.tag_depth += 1
        if self.tag_depth > MAX_TAG_DEPTH:
            raise ExpressionError("tags are nested too deeply", line=self.current.line)
        found: list[nodes.Node] = []
        while not self.at(lexer.END):
            token = self.next()
            if token.type == lexer.TEXT:
                data = nodes.TemplateData(token.value, lineno=token.line)
                found.append(nodes.Output([data], lineno=token.line))
            elif token.type == lexer.PRINT_START:
                found.append(self.print(token))
            else:
                tag = self.tag_name()
                if tag.value in ends:
                    self.tag_depth -= 1
                    return found, tag.value
                found.extend(self.tag(tag, opened))
        if opened is not None:
            wanted = " or ".join(f"`{{% {end} %}}`" for end in ends)
            raise ExpressionError(
                f"`{{% {opened.value} %}}` is not closed by {wanted}", line=opened.line
            )
        self.tag_depth -= 1
        return found, ""

    def print(self, token: Token) -> nodes.Node:
        if self.at(lexer.PRINT_END):
            raise ExpressionError("`{{ }}` is empty", line=token.line)
        node = self.expression()
        self.expect(lexer.PRINT_END)
        return nodes.Output([node], lineno=token.line)

    def tag_name(self) -> Token:
        if not self.at(lexer.NAME):
            self.fail("expected the name of a tag, ")
        return self.next()

    def tag(self, token: Token, opened: Token | None) -> list[nodes.Node]:
        readers: dict[str, Callable[[Token], list[nodes.Node]]] = {
            "if": self.if_tag,
            "for": self.for_tag,
            "set": self.set_tag,
            "macro": self.macro_tag,
            "block": self.block_tag,
            "filter": self.filter_tag,
        }
        if token.value in readers:
            return readers[token.value](token)
        if token.value in _REMOVED:
            message = f"Kestra does not have Pebble's tag `{token.value}`"
        elif token.value.startswith(("end", "else")) and token.value != "elsif":
            inside = f" inside `{{% {opened.value} %}}`" if opened else ""
            message = f"unexpected `{{% {token.value} %}}`{inside}"
        else:
            message = unknown("tag", token.value, _KNOWN_TAGS)
        raise ExpressionError(message, line=token.line)

    def end_tag(self) -> None:
        self.expect(lexer.TAG_END)

    def new_name(self) -> str:
        token = self.expect(lexer.NAME)
        if token.value.lower() in _RESERVED:
            raise ExpressionError(f"`{token.value}` cannot be assigned", line=token.line)
        return token.value

    def if_tag(self, token: Token) -> list[nodes.Node]:
        ends = ("elseif", "else", "endif")
        test = self.expression()
        self.end_tag()
        body, end = self.body(ends, token)
        first = nodes.If(test, body, [], [], lineno=token.line)
        while end == "elseif":
            line = self.current.line
            test = self.expression()
            self.end_tag()
            body, end = self.body(ends, token)
            first.elif_.append(nodes.If(test, body, [], [], lineno=line))
        if end == "else":
            self.end_tag()
            first.else_, _ = self.body(("endif",), token)
        self.end_tag()
        return [first]

    def for_tag(self, token: Token) -> list[nodes.Node]:
        name = self.new_name()
        if not self.accept(lexer.NAME, "in"):
            if self.at(lexer.PUNCTUATION, ","):
                self.fail("a map gives entries: `{% for entry in map %}` with `entry.key`; ")
            self.expect(lexer.NAME, "in")
        items = self.expression()
        self.end_tag()
        body, end = self.body(("else", "endfor"), token)
        otherwise: list[nodes.Node] = []
        if end == "else":
            self.end_tag()
            otherwise, _ = self.body(("endfor",), token)
        self.end_tag()
        target = nodes.Name(name, "store", lineno=token.line)
        return [nodes.For(target, items, body, otherwise, None, False, lineno=token.line)]

    def set_tag(self, token: Token) -> list[nodes.Node]:
        target = nodes.Name(self.new_name(), "store", lineno=token.line)
        self.expect(lexer.PUNCTUATION, "=")
        value = self.expression()
        self.end_tag()
        return [nodes.Assign(target, value, lineno=token.line)]

    def fragment(self, end: str, token: Token) -> int:
        """Read a body that is compiled by itself, and give its number. Loops outside it do not
        count."""
        outer, self.tag_depth = self.tag_depth, self.tag_depth // 2
        body, _ = self.body((end,), token)
        self.tag_depth = outer
        return self.parsed.add_fragment(body)

    def macro_tag(self, token: Token) -> list[nodes.Node]:
        name = self.new_name()
        parameters: list[str] = []
        defaults: dict[str, int] = {}
        self.expect(lexer.PUNCTUATION, "(")
        while not self.accept(lexer.PUNCTUATION, ")"):
            if parameters:
                self.expect(lexer.PUNCTUATION, ",")
            parameter = self.new_name()
            parameters.append(parameter)
            if self.accept(lexer.PUNCTUATION, "="):
                value = nodes.Output([self.expression()], lineno=token.line)
                defaults[parameter] = self.parsed.add_fragment([value])
        self.end_tag()
        body = self.fragment("endmacro", token)
        self.end_tag()
        if name in self.parsed.macros:
            raise ExpressionError(f"the macro `{name}` is written twice", line=token.line)
        self.parsed.macros[name] = Macro(parameters, defaults, body)
        return []

    def block_tag(self, token: Token) -> list[nodes.Node]:
        name = self.next() if self.at(lexer.STRING) else self.expect(lexer.NAME)
        self.end_tag()
        if name.value in self.parsed.blocks:
            raise ExpressionError(f"the block `{name.value}` is written twice", line=name.line)
        self.parsed.blocks[name.value] = -1
        self.parsed.blocks[name.value] = self.fragment("endblock", token)
        self.accept(lexer.NAME, name.value)
        self.end_tag()
        call = nodes.Const("block", lineno=token.line)
        args = [nodes.Const(name.value, lineno=token.line)]
        return [_output(nodes.Call(call, args, [], None, None, lineno=token.line))]

    def filter_tag(self, token: Token) -> list[nodes.Node]:
        """Read ``{% filter upper | trim %}…{% endfilter %}``: filters over a rendered body."""
        start = self.position
        placeholder = nodes.Const("", lineno=token.line)
        node = self.filter(placeholder)
        while self.accept(lexer.OPERATOR, "|"):
            if self.position - start > 1000:
                self.fail("too many filters; ")
            node = self.filter(node)
        self.end_tag()
        number = self.fragment("endfilter", token)
        self.end_tag()
        _innermost(node).node = fragment_value(number, token.line)
        return [_output(node)]


def fragment_value(number: int, line: int) -> nodes.Expr:
    """The text of a fragment, as an expression."""
    return nodes.EnvironmentAttribute(str(number), lineno=line)


def _innermost(node: nodes.Expr) -> nodes.Filter:
    assert isinstance(node, nodes.Filter)
    while isinstance(node.node, nodes.Filter):
        node = node.node
    return node


def _output(node: nodes.Expr) -> nodes.Node:
    return nodes.Output([node], lineno=node.lineno)
