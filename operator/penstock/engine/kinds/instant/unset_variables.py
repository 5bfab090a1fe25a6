"""UnsetVariables: take variables from the execution."""

from __future__ import annotations

from penstock.engine.interface.flowable import Evaluator
from penstock.engine.interface.instant_task import Effect, InstantFailure, InstantTask, Scene


class UnsetVariables(InstantTask):
    """Removes variables of the execution.

    ```yaml
    id: forget
    type: io.kestra.plugin.core.execution.UnsetVariables
    variables: [total]
    ignoreMissing: true
    ```
    """

    variables: list[str]
    """The names. Rendered."""
    ignore_missing: bool = False
    """Whether names that there are not are passed over; else the task fails."""

    def perform(self, evaluator: Evaluator, scene: Scene) -> Effect:
        names = [evaluator.render(name) or "" for name in self.variables]
        missing = [name for name in names if name not in scene.variables]
        if missing and not self.ignore_missing:
            raise InstantFailure(f"there are no variables of these names: {', '.join(missing)}")
        left = {name: value for name, value in scene.variables.items() if name not in names}
        return Effect(variables=left)
