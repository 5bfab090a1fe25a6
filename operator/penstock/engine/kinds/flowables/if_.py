"""If: one of two branches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from penstock.engine.interface.flowable import Evaluator, Flowable, Opening, Plan, in_sequence
from penstock.expressions import is_truthy
from penstock.flow.problems import Location
from penstock.flow.task import AnyTask, Task
from penstock.resources.execution import TaskRun


class If(Flowable):
    """Runs `then` where the condition holds, else `else`.

    Outputs: `evaluationResult`, whether the condition held.

    ```yaml
    id: heavy
    type: io.kestra.plugin.core.flow.If
    condition: "{{ inputs.weight > 10 }}"
    then:
      - {id: two, type: io.kestra.plugin.core.log.Log, message: This takes two people.}
    else:
      - {id: one, type: io.kestra.plugin.core.log.Log, message: One can carry it.}
    ```
    """

    condition: str | bool | int | float | None = None
    """False where it renders to `false`, `0`, `-0` or nothing. Rendered."""
    then: list[AnyTask] = []
    """Runs where the condition holds."""
    else_: Annotated[list[AnyTask], Field(alias="else")] = []
    """Runs where it does not."""

    def open(self, evaluator: Evaluator) -> Opening:
        return Opening(outputs={"evaluationResult": is_truthy(evaluator.evaluate(self.condition))})

    def plan(self, run: TaskRun) -> Plan:
        result = (run.outputs or {}).get("evaluationResult")
        return in_sequence(self.then if result else self.else_)

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("then",), self.then
        yield ("else",), self.else_
