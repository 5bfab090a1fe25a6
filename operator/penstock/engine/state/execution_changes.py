"""Changes of the execution itself, by tasks and by people, while a decision is made."""

from __future__ import annotations

from typing import Any

from penstock.engine.interface.instant_task import Effect
from penstock.flow.document import Flow
from penstock.resources.execution import ControlResult, ExecutionStatus, State


class ExecutionChanges:
    """Holds the labels and variables of an execution as they are now, and whether it is to end."""

    def __init__(self, flow: Flow, status: ExecutionStatus) -> None:
        self._flow = flow
        self.labels: dict[str, str] = status.labels
        self.changed_variables: dict[str, Any] | None = status.variables
        self.exit: State | None = status.exit
        self.exit_reason: str | None = status.exit_reason
        self.paused: bool = status.paused
        self.violated_sla: str | None = status.violated_sla
        self.passed_breakpoints: list[str] = status.passed_breakpoints
        self.restarts: int = status.restarts
        self.controls: list[ControlResult] = status.controls
        self.over = False
        """Whether the execution has ended, so that its end can't be changed."""

    @property
    def variables(self) -> dict[str, Any]:
        """The flow's variables, unless a task changed them."""
        return self._flow.variables if self.changed_variables is None else self.changed_variables

    @property
    def stops(self) -> bool:
        """Whether the end does not wait for what runs."""
        return self.exit is State.KILLED or (self.exit is not None and self._broke_an_sla)

    @property
    def _broke_an_sla(self) -> bool:
        """Whether an SLA was violated that ends the execution."""
        return any(
            sla.id == self.violated_sla and sla.behavior != "NONE" for sla in self._flow.promises
        )

    def take(self, effect: Effect) -> None:
        if effect.labels is not None:
            self.labels = effect.labels
        if effect.variables is not None:
            self.changed_variables = effect.variables
        if effect.exit is not None and not self.over:
            self.exit = effect.exit

    def leave(self, state: State, reason: str | None = None) -> None:
        """Let the execution end in that state; the first to say so is right."""
        if self.exit is None and not self.over:
            self.exit, self.exit_reason = state, reason

    def fields(self) -> dict[str, Any]:
        """Give the fields of the status that hold these changes."""
        return {
            "labels": self.labels,
            "variables": self.changed_variables,
            "exit": self.exit,
            "exit_reason": self.exit_reason,
            "paused": self.paused,
            "violated_sla": self.violated_sla,
            "passed_breakpoints": self.passed_breakpoints,
            "restarts": self.restarts,
            "controls": self.controls,
        }
