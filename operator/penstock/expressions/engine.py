"""Render templates: the way in for the rest of Penstock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TypeVar

from penstock.expressions.environment import PebbleEnvironment
from penstock.expressions.errors import ExpressionError, LimitError
from penstock.expressions.host import Host
from penstock.expressions.lexer import accidental_comments, strip_raw
from penstock.expressions.limits import Allowance, Budget, Limits
from penstock.expressions.opaque import OpaqueRun
from penstock.expressions.printing import to_text
from penstock.expressions.program import Program
from penstock.expressions.run import Run
from penstock.expressions.stored import stored

_ENVIRONMENT = PebbleEnvironment()
_DELIMITED = re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)

T = TypeVar("T")

_ALLOWANCE: ContextVar[Allowance | None] = ContextVar("allowance", default=None)
"""What is spent together. Others may render at the same time, in other threads, without it."""


@contextmanager
def spending(allowance: Allowance) -> Iterator[None]:
    """Let all renderings within spend an allowance together. Nothing may be awaited within."""
    token = _ALLOWANCE.set(allowance)
    try:
        yield
    finally:
        _ALLOWANCE.reset(token)


class Expressions:
    """Kestra's expressions. Compiled templates are kept, so use one object for many renderings.

    Rendering is one pass: text that comes from a variable is not rendered again, unless the
    template says ``render(…)``.
    """

    def __init__(self, limits: Limits | None = None, cache_size: int = 1000) -> None:
        self._limits = limits or Limits()
        self._program: Callable[[str], Program] = lru_cache(maxsize=cache_size)(self._compile)

    def _compile(self, template: str) -> Program:
        if len(template) > self._limits.template_chars:
            most = self._limits.template_chars
            raise LimitError(f"the template is longer than {most} characters")
        allowance = _ALLOWANCE.get()
        if allowance is not None and allowance.template_chars is not None:
            most = allowance.template_chars
            if sum(map(len, _DELIMITED.findall(template))) > most:
                raise LimitError(f"the template has more than {most} characters of expressions")
        return _ENVIRONMENT.program(template)

    def _spend(self, rendering: Callable[[Budget], T]) -> T:
        allowance = _ALLOWANCE.get()
        if allowance is None:
            return rendering(Budget(self._limits))
        return allowance.spend(rendering, self._limits)

    def check(self, template: str) -> None:
        """Compile a template: finds wrong syntax and unknown names, not what the variables hold. A
        comment that was hardly meant is an error here, though it renders."""
        if "{" in template:
            self._program(template)
            for accident in accidental_comments(template):
                raise accident.locate(expression=template)

    def render(self, template: str | None, variables: Mapping[str, Any], host: Host) -> str | None:
        """Render a template to text; None stays None, text without ``{`` stays as it is."""
        if template is None or "{" not in template:
            return template
        return self._spend(lambda budget: strip_raw(self._text(template, variables, host, budget)))

    def evaluate(self, template: str | None, variables: Mapping[str, Any], host: Host) -> Any:
        """Render a template; a single expression keeps its type, as far as JSON has it. Several
        parts are put together as the text that `render` writes."""
        if template is None or "{" not in template:
            return template
        return self._spend(lambda budget: self._value(template, variables, host, budget))

    def _value(
        self, template: str, variables: Mapping[str, Any], host: Host, budget: Budget
    ) -> Any:
        run, program = self._start(template, variables, host, budget)
        values = [value for value in _guarded(template, run, program) if value is not None]
        if len(values) == 1:
            value = values[0]
            return strip_raw(value) if type(value) is str else _stored(template, value, run.budget)
        return strip_raw(_joined(template, values, run)) if values else None

    def render_tree(self, value: Any, variables: Mapping[str, Any], host: Host) -> Any:
        """Render every text in maps (keys too) and lists; other values stay as they are. Of two
        keys that become equal, the first counts."""

        def rendered(budget: Budget) -> Any:
            def text(template: str) -> Any:
                return strip_raw(self._text(template, variables, host, budget))

            return _tree(value, text, text, budget, 0)

        return self._spend(rendered)

    def evaluate_tree(self, value: Any, variables: Mapping[str, Any], host: Host) -> Any:
        """Render every text in maps and lists as `render_tree` does, but let a value that is a
        single expression keep its type."""

        def rendered(budget: Budget) -> Any:
            def text(template: str) -> Any:
                return strip_raw(self._text(template, variables, host, budget))

            def typed(template: str) -> Any:
                return self._value(template, variables, host, budget)

            return _tree(value, text, typed, budget, 0)

        return self._spend(rendered)

    def _start(
        self, template: str, variables: Mapping[str, Any], host: Host, budget: Budget
    ) -> tuple[Run, Program]:
        program = self._program(template)
        kind_of_run = Run if host.opaque is None else OpaqueRun
        return kind_of_run(program, variables, host, budget, self._nested), program

    def _text(self, template: str, variables: Mapping[str, Any], host: Host, budget: Budget) -> str:
        run, program = self._start(template, variables, host, budget)
        parts: list[str] = []
        for value in _guarded(template, run, program):
            if type(value) is str:
                parts.append(value)
            else:
                run.refuse_print(value)
                parts.append(_printed(template, value, budget))
        text = "".join(parts)
        if len(text) > self._limits.output_chars:
            raise LimitError(
                f"the result is longer than {self._limits.output_chars} characters",
                expression=template,
            )
        budget.text(len(text))
        return text

    def _nested(self, template: str, run: Run) -> str:
        """Render a text that a template handed to ``render``, in one pass."""
        if "{" not in template:
            return template
        run.enter()
        try:
            return self._text(template, run.variables, run.host, run.budget)
        finally:
            run.calls -= 1


def _tree(
    value: Any,
    of_key: Callable[[str], Any],
    of_text: Callable[[str], Any],
    budget: Budget,
    depth: int,
) -> Any:
    """A value with each text in it rendered, those of keys in their own way."""
    if isinstance(value, str):
        return of_text(value) if "{" in value else value
    if depth > budget.limits.depth:
        raise LimitError("a value is nested too deeply")
    if isinstance(value, Mapping):
        result: dict[Any, Any] = {}
        for key, item in value.items():
            new_key = _tree(key, of_key, of_key, budget, depth + 1)
            result.setdefault(new_key, _tree(item, of_key, of_text, budget, depth + 1))
        return result
    if isinstance(value, list | tuple):
        return [_tree(item, of_key, of_text, budget, depth + 1) for item in value]
    return value


def _guarded(template: str, run: Run, program: Program) -> list[Any]:
    """Run a body; only ExpressionErrors come out, and they know their template."""
    budget = run.budget
    size = 0
    values: list[Any] = []
    try:
        for value in program.body(run):
            if value.__class__ is str:
                size += len(value)
                if size > budget.limits.output_chars:
                    budget.text(size)
            values.append(value)
            if len(values) > budget.limits.items and len(values) % 1000 == 0:
                budget.items(1000)
                budget.check_time()
    except ExpressionError as error:
        raise error.locate(expression=template) from error.__cause__
    except RecursionError:
        raise LimitError("nested too deeply", expression=template) from None
    except Exception as error:  # variables may be lazy: whatever fails behind them
        raise ExpressionError(str(error) or repr(error), expression=template) from error
    return values


def _printed(template: str, value: Any, budget: Budget) -> str:
    try:
        text = to_text(value, budget)
        if type(value) is not int and value is not None:
            budget.text(len(text))
        return text
    except ExpressionError as error:
        raise error.locate(expression=template) from None
    except (ValueError, RecursionError) as error:
        raise LimitError(f"a value cannot be printed: {error}", expression=template) from None


def _stored(template: str, value: Any, budget: Budget) -> Any:
    try:
        return stored(value, budget)
    except ExpressionError as error:
        raise error.locate(expression=template) from None


def _joined(template: str, values: list[Any], run: Run) -> str:
    texts = []
    for value in values:
        if type(value) is not str:
            run.refuse_print(value)
        texts.append(value if type(value) is str else _printed(template, value, run.budget))
    run.budget.text(sum(map(len, texts)))
    return "".join(texts)
