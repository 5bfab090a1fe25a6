"""Jinja2's sandbox, emptied of Jinja2's own names and filled with Kestra's language."""

from __future__ import annotations

from typing import Any, cast

from jinja2 import StrictUndefined, nodes
from jinja2.sandbox import SandboxedEnvironment

from penstock.expressions import families
from penstock.expressions.codegen import PebbleCodeGenerator
from penstock.expressions.errors import ExpressionError
from penstock.expressions.parser import parse
from penstock.expressions.program import Body, Program
from penstock.expressions.registry import FILTERS, TESTS

families.load()


class PebbleEnvironment(SandboxedEnvironment):
    """Compiles Pebble; reaching a Python attribute or calling a value is refused everywhere."""

    code_generator_class = PebbleCodeGenerator

    def __init__(self) -> None:
        # Jinja2 would fold constants with Python's operators, whose results differ.
        super().__init__(autoescape=False, undefined=StrictUndefined, optimized=False)
        self.globals.clear()
        self.filters.clear()
        self.tests.clear()
        self.filters.update({name: entry.call for name, entry in FILTERS.items()})
        self.tests.update({name: entry.call for name, entry in TESTS.items()})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Refuse every Python attribute. Generated code asks for none: this is a second wall."""
        return False

    def is_safe_callable(self, obj: Any) -> bool:
        """Refuse every call by a template: ``Run`` alone calls functions, those in its tables."""
        return False

    def program(self, source: str) -> Program:
        """Parse and compile; every failure is an ExpressionError that knows the template."""
        try:
            parsed = parse(source)
            return Program(
                body=self.body(parsed.body),
                fragments=tuple(self.body(fragment) for fragment in parsed.fragments),
                macros=parsed.macros,
                blocks=parsed.blocks,
            )
        except ExpressionError as error:
            raise error.locate(expression=source) from None
        except (SyntaxError, RecursionError, MemoryError, OverflowError, ValueError):
            # Python's own bounds on generated code: parentheses, nesting, sizes.
            raise ExpressionError(
                "the expression is nested too deeply or too long", expression=source
            ) from None

    def body(self, statements: list[nodes.Node]) -> Body:
        template = nodes.Template(statements, lineno=1)
        template.set_environment(self)
        code = self.compile(template)
        compiled = self.template_class.from_code(self, code, {})
        return cast("Body", compiled.root_render_func)
