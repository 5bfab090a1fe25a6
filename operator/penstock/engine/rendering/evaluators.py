"""Evaluators: expressions bound to their variables, for the engine and for what others are given.

Whoever may not know a secret is given a token in its place, or is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

from penstock.engine.interface.secrets import NO_SECRETS, SecretInputs, Secrets, refuse_secret
from penstock.engine.rendering.tokens import SecretTokens
from penstock.engine.rendering.variables import Variables
from penstock.expressions import ExpressionError, Expressions, Host
from penstock.flow.model import json_text


class BoundEvaluator:
    """Evaluates expressions with the variables that they see."""

    def __init__(self, expressions: Expressions, variables: Variables, host: Host) -> None:
        self._expressions = expressions
        self._variables = variables
        self._host = host

    def render(self, template: Any) -> str | None:
        if isinstance(template, bool):
            return str(template).lower()
        if template is None or isinstance(template, int | float):
            return None if template is None else str(template)
        if isinstance(template, Mapping | list):
            return json_text(self.render_tree(template))
        return self._expressions.render(template, self._variables, self._host)

    def evaluate(self, template: Any) -> Any:
        if not isinstance(template, str):
            return template
        return self._expressions.evaluate(template, self._variables, self._host)

    def render_tree(self, value: Any) -> Any:
        return self._expressions.render_tree(value, self._variables, self._host)

    def with_variables(self, variables: Mapping[str, Any]) -> BoundEvaluator:
        """Copy the evaluator, with further variables beside or in place of those that it has."""
        bound = copy(self)
        bound._variables = self._variables.beside(variables)
        return bound

    def at(self, host: Host) -> BoundEvaluator:
        """Copy the evaluator, for expressions in other surroundings."""
        return BoundEvaluator(self._expressions, self._variables, host)

    def tokens(self, seed: str, inputs: SecretInputs, kind: str) -> SecretTokens:
        """Copy the evaluator, with tokens in the place of secrets."""
        return SecretTokens(self._expressions, self._variables, self._host, seed, inputs, kind)


class WaryEvaluator(BoundEvaluator):
    """Evaluates expressions of an execution with inputs of type SECRET, and lets none be read."""

    def __init__(
        self, expressions: Expressions, variables: Variables, host: Host, mark: str
    ) -> None:
        super().__init__(expressions, variables, host)
        self._mark = mark

    def render(self, template: Any) -> str | None:
        rendered: str | None = self._checked(super().render, template)
        return rendered

    def evaluate(self, template: Any) -> Any:
        return self._checked(super().evaluate, template)

    def render_tree(self, value: Any) -> Any:
        return self._checked(super().render_tree, value)

    def _checked(self, render: Callable[[Any], Any], value: Any) -> Any:
        from penstock.expressions.marks import Opaque

        opaque = Opaque(self._mark)
        host, self._host = self._host, replace(self._host, opaque=opaque)
        try:
            rendered = render(value)
        except ExpressionError:
            if not opaque.used:
                raise
        finally:
            self._host = host
        return refuse_secret() if opaque.used or opaque.holds(rendered) else rendered


class HandingEvaluator:
    """Evaluates what another execution is given: a secret goes there by its name, and only
    where it is the whole of an input."""

    def __init__(self, evaluator: BoundEvaluator, tokens: SecretTokens | None) -> None:
        self._evaluator = evaluator
        self._tokens = tokens
        self.render = evaluator.render
        self.evaluate = evaluator.evaluate
        self.render_tree = evaluator.render_tree
        self.with_variables = evaluator.with_variables

    @property
    def secrets(self) -> Secrets:
        """The secrets that were handed on so far."""
        return self._tokens.secrets if self._tokens is not None else NO_SECRETS

    def inputs(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs of the other execution, with a token in the place of each secret."""
        tokens = self._tokens
        if tokens is None:
            known: dict[str, Any] = self._evaluator.render_tree(values)
            return known
        asks, rendered = tokens.asks(lambda host: self._evaluator.at(host).render_tree(values))
        if not asks:
            return dict(rendered)
        handed: dict[str, Any] = {}
        for name, value in values.items():
            handed.setdefault(str(self._evaluator.render(name)), tokens.handed(name, value))
        return handed


class AttemptEvaluator:
    """Evaluates what a pod is given; a secret that is not known here becomes a token."""

    def __init__(self, evaluator: BoundEvaluator, tokens: SecretTokens | None) -> None:
        self._evaluator = evaluator
        self._tokens = tokens

    @property
    def secrets(self) -> Secrets:
        """The secrets that were read so far."""
        return self._tokens.secrets if self._tokens is not None else NO_SECRETS

    def render(self, template: Any) -> str | None:
        """The text of a property."""
        if self._tokens is None or not isinstance(template, str):
            return self._evaluator.render(template)
        rendered: str | None = self._of_text(template, typed=False)
        return rendered

    def evaluate(self, template: Any) -> Any:
        """The value of a property, with its own type where it is a single expression."""
        if self._tokens is None or not isinstance(template, str):
            return self._evaluator.evaluate(template)
        return self._of_text(template, typed=True)

    def render_tree(self, value: Any) -> Any:
        """The text of everything in a list or map."""
        tokens = self._tokens
        if tokens is None:
            return self._evaluator.render_tree(value)
        asks, rendered = tokens.asks(lambda host: self._evaluator.at(host).render_tree(value))
        return tokens.tree(value) if asks else rendered

    def _of_text(self, template: str, *, typed: bool) -> Any:
        assert self._tokens is not None
        name = "evaluate" if typed else "render"
        asks, rendered = self._tokens.asks(
            lambda host: getattr(self._evaluator.at(host), name)(template)
        )
        return self._tokens.text(template, typed=typed) if asks else rendered
