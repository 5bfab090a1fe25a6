"""EachSequential and EachParallel: the loops that ForEach has replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from penstock.engine.interface.flowable import (
    Child,
    Evaluator,
    Flowable,
    Lane,
    LoopLanes,
    Opening,
    Plan,
    enabled,
)
from penstock.engine.kinds.flowables.for_each import loop_values
from penstock.flow.problems import Location
from penstock.flow.task import Task, Tasks
from penstock.resources.execution import TaskRun


class EachSequential(Flowable):
    """Runs its tasks, in order, for one distinct value after the other.

    ```yaml
    id: each
    type: io.kestra.plugin.core.flow.EachSequential
    value: ["a", "b"]
    tasks:
      - {id: tell, type: io.kestra.plugin.core.log.Log, message: "{{ taskrun.value }}"}
    ```
    """

    value: str | list[Any]
    """A list, or an expression that gives one (as JSON). Rendered."""
    tasks: Tasks
    """What is done with each value, seen as `taskrun.value`."""

    def open(self, evaluator: Evaluator) -> Opening:
        return Opening(values=loop_values(self.value, evaluator, "value"))

    def plan(self, run: TaskRun) -> Plan:
        return Plan(LoopLanes(enabled(self.tasks), run.values or []), 1)

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("tasks",), self.tasks


class EachParallel(EachSequential):
    """Runs all its tasks for all distinct values at the same time.

    The tasks of one value do not wait for each other; put them into a Sequential where they must.

    ```yaml
    id: each
    type: io.kestra.plugin.core.flow.EachParallel
    value: "{{ inputs.cities }}"
    tasks:
      - {id: tell, type: io.kestra.plugin.core.log.Log, message: "{{ taskrun.value }}"}
    ```
    """

    concurrent: Annotated[int, Field(ge=0)] = 0
    """How many task runs there are at once; 0 for all."""

    def plan(self, run: TaskRun) -> Plan:
        there = enabled(self.tasks)
        lanes = [
            Lane((Child(task, value, iteration),))
            for iteration, value in enumerate(run.values or [])
            for task in there
        ]
        return Plan(lanes, self.concurrent)
