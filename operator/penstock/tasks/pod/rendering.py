"""Renders the expressions that a task renders itself. It is imported only where a task does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from penstock.expressions import ExpressionError, Expressions, Host
from penstock.tasks.contract.task import TaskFailure


def render(template: str, variables: Mapping[str, Any]) -> str | None:
    """The text of an expression with these variables alone. Raises :class:`TaskFailure`."""
    try:
        return _expressions().render(template, variables, Host())
    except ExpressionError as error:
        raise TaskFailure(str(error)) from None


@cache
def _expressions() -> Expressions:
    return Expressions()
