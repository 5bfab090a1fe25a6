"""Exit: end the execution here."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from penstock.engine.interface.flowable import Evaluator
from penstock.engine.interface.instant_task import Effect, InstantFailure, InstantTask, Scene
from penstock.flow.model import Rendered
from penstock.resources.execution import State

ExitState = Literal["SUCCESS", "WARNING", "KILLED", "FAILED", "CANCELED", "CANCELLED"]


class Exit(InstantTask):
    """Ends the execution. Nothing more starts, no handler either.

    Tasks that run beside it are awaited; only KILLED stops them.

    ```yaml
    id: nothing-to-do
    type: io.kestra.plugin.core.execution.Exit
    runIf: "{{ inputs.rows == 0 }}"
    state: SUCCESS
    ```
    """

    state: Annotated[ExitState, Rendered] = "SUCCESS"
    """The state in which the execution ends."""

    def perform(self, evaluator: Evaluator, scene: Scene) -> Effect:
        state = evaluator.render(self.state) or ""
        if state not in get_args(ExitState):
            raise InstantFailure(f"an execution can't end in the state `{state}`")
        return Effect(exit=State.CANCELLED if state == "CANCELED" else State(state))
