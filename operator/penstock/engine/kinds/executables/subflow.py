"""Subflow: another flow, as a task of this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.engine.interface.actions import Observation
from penstock.engine.interface.executable import (
    ChildFlow,
    ChildrenSeen,
    ExecutableTask,
    holds,
    transmitted,
)
from penstock.expressions import ExpressionError
from penstock.resources.execution import ExecutionStatus, State


class Subflow(ChildFlow, ExecutableTask):
    """Runs another flow and waits for its end.

    Outputs: `executionId`, `state`, and `outputs`, the outputs of the flow.

    ```yaml
    id: load
    type: io.kestra.plugin.core.flow.Subflow
    namespace: company.team
    flowId: load
    inputs:
      day: "{{ trigger.date ?? now() }}"
    ```
    """

    outputs: dict[str, Any] | None = None
    """Deprecated: use the outputs of the flow. Expressions that see the child's outputs.
    Rendered."""

    def restarts_children(self) -> bool:
        return self.restart_behavior == "RETRY_FAILED"

    def conclude(
        self,
        names: Sequence[str],
        statuses: Sequence[ExecutionStatus | None],
        seen: ChildrenSeen,
    ) -> Observation | None:
        child = statuses[0]
        if child is None:
            return None
        outputs: dict[str, Any] = {"executionId": names[0]}
        if child.refusal is not None:
            message = f"the execution {names[0]} was refused: {child.message}"
            return Observation(State.FAILED, reason=child.refusal, message=message, outputs=outputs)
        evaluator = seen.evaluator()
        if not holds(self.wait, evaluator):
            return Observation(State.SUCCESS, outputs=outputs)
        if not child.state.terminated:
            return Observation(State.RUNNING, start_date=child.start_date, outputs=outputs)
        outputs["state"] = str(child.state)
        state = transmitted(child.state) if holds(self.transmit_failed, evaluator) else None
        try:
            outputs["outputs"] = self._outputs_of(child, seen)
        except ExpressionError as error:
            message = f"the outputs of the execution {names[0]} can't be had: {error}"
            return Observation(
                State.FAILED, reason="InvalidExpression", message=message, outputs=outputs
            )
        message = f"the execution {names[0]} ended {child.state}"
        return Observation(
            state or State.SUCCESS,
            start_date=child.start_date,
            end_date=child.end_date,
            reason="SubflowFailed" if state is State.FAILED else None,
            message=f"{message}: {child.message}" if child.message else message,
            outputs=outputs,
        )

    def _outputs_of(self, child: ExecutionStatus, seen: ChildrenSeen) -> dict[str, Any]:
        if self.outputs is None:
            return child.outputs or {}
        rendered: dict[str, Any] = seen.of_child(child).render_tree(self.outputs)
        return rendered
