"""What tasks have changed of the execution itself, while a decision is made."""

from __future__ import annotations

from typing import Any

from penstock.engine.instant_task import Effect
from penstock.flow.document import Flow
from penstock.resources.execution import ExecutionStatus, State


class Ledger:
    """The labels and variables of an execution as they are now, and whether it is to end."""

    def __init__(self, flow: Flow, status: ExecutionStatus) -> None:
        self._flow = flow
        self.labels: dict[str, str] = status.labels
        self.changed_variables: dict[str, Any] | None = status.variables
        self.exit: State | None = status.exit

    @property
    def variables(self) -> dict[str, Any]:
        """The flow's, unless a task changed them."""
        return self._flow.variables if self.changed_variables is None else self.changed_variables

    def take(self, effect: Effect) -> None:
        if effect.labels is not None:
            self.labels = effect.labels
        if effect.variables is not None:
            self.changed_variables = effect.variables
        if effect.exit is not None:
            self.exit = effect.exit

    def fields(self) -> dict[str, Any]:
        """The fields of the status that hold it."""
        return {
            "labels": self.labels,
            "variables": self.changed_variables,
            "exit": self.exit,
        }
