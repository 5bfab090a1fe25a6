"""Tasks that ask something of the cluster which no pod has the right to ask.

The task says what; whoever drives the engine does it, and tells the result as the observation of
the attempt. What is asked for twice, before and after a crash, must be the same as once. A new one
is one file in :mod:`penstock.engine.commands`.
"""

from __future__ import annotations

from penstock.engine.actions import Command
from penstock.engine.flowable import HandingOn
from penstock.flow.task import Task


class CommandTask(Task):
    """A task that the controller does."""

    def command(self, evaluator: HandingOn) -> Command:
        """What is to be done. Raises ``ExpressionError`` or ``FlowableError``."""
        raise NotImplementedError
