"""The task `Fail`, which fails on purpose."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.tasks.contract.task import Context, TaskFailure
from penstock.tasks.contract.texts import Text

_FALSE = frozenset({"", "false", "0", "-0"})


@dataclass(frozen=True)
class Fail:
    """Fails, always or where a condition holds.

    ```yaml
    id: refuse
    type: io.kestra.plugin.core.execution.Fail
    condition: "{{ inputs.count > 100 }}"
    errorMessage: Too many.
    ```
    """

    condition: str | None = None
    """The task fails only where this renders to something other than `false`, `0`, `-0` or
    nothing."""
    error_message: Text = "Task failure"
    """The message of the failed task."""

    def run(self, context: Context) -> None:
        if self.condition is not None and self.condition in _FALSE:
            return
        context.log(self.error_message, "ERROR")
        raise TaskFailure(self.error_message)
