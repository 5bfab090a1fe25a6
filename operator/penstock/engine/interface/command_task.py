"""Tasks that ask something of the cluster which no pod has the right to ask.

The task says what; whoever drives the engine does it, and tells the result as the observation of
the attempt. What is asked for twice, before and after a crash, must be the same as once. A new one
is one file in :mod:`penstock.engine.kinds.commands`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from penstock.engine.interface.actions import Command
from penstock.engine.interface.flowable import Evaluator, HandingOn
from penstock.flow.task import Task


class CommandEvaluator(HandingOn, Protocol):
    """Renders the properties of a task that the controller does."""

    def with_variables(self, variables: Mapping[str, Any]) -> Evaluator:
        """Let expressions see further variables, beside or in place of those that there are."""


class CommandTask(Task):
    """A task that the controller does."""

    def command(self, evaluator: CommandEvaluator) -> Command:
        """Say what the controller is to do. Raises ``ExpressionError`` or ``FlowableError``."""
        raise NotImplementedError
