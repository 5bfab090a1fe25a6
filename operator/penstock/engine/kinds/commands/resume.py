"""Resume: let a paused execution go on."""

from __future__ import annotations

from typing import Any

from penstock.engine.interface.actions import Command, ResumeExecution
from penstock.engine.interface.command_task import CommandTask
from penstock.engine.interface.flowable import FlowableError, HandingOn
from penstock.flow.values import parse_json


class Resume(CommandTask):
    """Lets a paused execution of the same Kubernetes namespace go on.

    ```yaml
    id: go_on
    type: io.kestra.plugin.core.execution.Resume
    executionId: "{{ trigger.executionId }}"
    inputs:
      reason: all is well
    ```
    """

    execution_id: str
    """The name of the execution. Rendered."""
    namespace: str | None = None
    """The namespace of its flow; the name of the execution is enough."""
    flow_id: str | None = None
    """The id of its flow; the name of the execution is enough."""
    inputs: dict[str, Any] | str = {}
    """Values for the inputs that its pause asks for. Rendered."""

    def command(self, evaluator: HandingOn) -> Command:
        name = evaluator.render(self.execution_id)
        if not name:
            raise FlowableError("`executionId` rendered to nothing")
        inputs: Any = self.inputs
        if isinstance(inputs, str):
            try:
                inputs = parse_json(evaluator.render(inputs) or "{}")
            except ValueError:
                inputs = None
            if not isinstance(inputs, dict):
                raise FlowableError("`inputs` must be a map, or the JSON text of one")
        else:
            inputs = evaluator.inputs(inputs)
        return ResumeExecution(name, inputs, evaluator.secrets)
