"""Checks: what must hold before an execution starts."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.engine.interface.flowable import Evaluator
from penstock.expressions import ExpressionError, is_truthy
from penstock.flow.document import Check, Flow

_STRICTEST_FIRST = ("BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION")


@dataclass(frozen=True)
class Failed:
    """The strictest of the checks that do not hold."""

    behavior: str
    message: str


def failed_check(flow: Flow, evaluator: Evaluator) -> Failed | None:
    """Find the check that decides, where one does not hold."""
    failed = [
        Failed(check.behavior, _text(check.message, evaluator))
        for check in flow.checks
        if not _holds(check, evaluator)
    ]
    return min(failed, key=lambda item: _STRICTEST_FIRST.index(item.behavior), default=None)


def _holds(check: Check, evaluator: Evaluator) -> bool:
    try:
        return is_truthy(evaluator.evaluate(check.rule))
    except ExpressionError:
        return False


def _text(message: str, evaluator: Evaluator) -> str:
    try:
        return evaluator.render(message) or ""
    except ExpressionError:
        return message
