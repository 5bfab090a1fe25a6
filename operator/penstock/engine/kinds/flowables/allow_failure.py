"""AllowFailure: a sequence whose failure is only a warning."""

from __future__ import annotations

from penstock.engine.kinds.flowables.sequential import Sequential
from penstock.resources.execution import State


class AllowFailure(Sequential):
    """Runs its tasks one after the other; where one failed, it ends with WARNING.

    ```yaml
    id: may-fail
    type: io.kestra.plugin.core.flow.AllowFailure
    tasks:
      - id: flaky
        type: io.kestra.plugin.scripts.shell.Commands
        commands: [wget -q https://example.com/report.csv]
    ```
    """

    def outcome(self, worst_child: State) -> State:
        return State.WARNING if worst_child is State.FAILED else worst_child
