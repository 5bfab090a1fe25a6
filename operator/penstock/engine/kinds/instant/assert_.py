"""Assert: go on only where conditions hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from penstock.engine.interface.flowable import Evaluator
from penstock.engine.interface.instant_task import Effect, InstantFailure, InstantTask, Scene
from penstock.expressions import is_truthy
from penstock.flow.model import Content


class Assert(InstantTask):
    """Fails where one of the conditions does not hold.

    ```yaml
    id: check
    type: io.kestra.plugin.core.execution.Assert
    conditions:
      - "{{ inputs.count > 0 }}"
    errorMessage: There must be something to count.
    ```
    """

    conditions: Annotated[list[str | bool | int | float], Field(min_length=1)]
    """Each holds unless it renders to `false`, `0`, `-0` or nothing. Rendered."""
    error_message: Content | None = None
    """What the failed task says in place of the condition. Rendered."""

    def perform(self, evaluator: Evaluator, scene: Scene) -> Effect:
        for condition in self.conditions:
            if not is_truthy(evaluator.evaluate(condition)):
                message = evaluator.render(self.error_message)
                raise InstantFailure(message or f"the condition `{condition}` does not hold")
        return Effect()
