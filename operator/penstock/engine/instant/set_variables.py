"""SetVariables: change the variables of the execution."""

from __future__ import annotations

import json
from typing import Any

from penstock.engine.flowable import Evaluator
from penstock.engine.instant_task import Effect, InstantFailure, InstantTask, Scene


class SetVariables(InstantTask):
    """Sets variables, which expressions see as `vars.…` from then on.

    ```yaml
    id: remember
    type: io.kestra.plugin.core.execution.SetVariables
    variables:
      total: "{{ outputs.count.vars.total }}"
    ```
    """

    variables: dict[str, Any]
    """The variables by name; what an expression gives is not rendered once more. Rendered."""
    overwrite: bool = True
    """Whether variables that there are may be replaced; else the task fails."""

    def perform(self, evaluator: Evaluator, scene: Scene) -> Effect:
        taken = [name for name in self.variables if name in scene.variables]
        if taken and not self.overwrite:
            raise InstantFailure(f"there are variables of these names: {', '.join(taken)}")
        values = {name: _value(evaluator, value) for name, value in self.variables.items()}
        return Effect(variables={**scene.variables, **values})


def _value(evaluator: Evaluator, value: Any) -> Any:
    """Rendered; what is one expression keeps the type of its value, where JSON has that type."""
    if not isinstance(value, str):
        return evaluator.render_tree(value)
    try:
        return json.loads(json.dumps(evaluator.evaluate(value), allow_nan=False))
    except (TypeError, ValueError):
        return evaluator.render(value)
