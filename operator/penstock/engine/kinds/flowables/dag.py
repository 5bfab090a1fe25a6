"""Dag: tasks that wait for those on which they depend."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Annotated

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from penstock.engine.interface.flowable import Child, Flowable, Lane, Plan
from penstock.flow.model import Document
from penstock.flow.problems import Location
from penstock.flow.task import AnyTask, Task
from penstock.resources.execution import TaskRun


class DagTask(Document):
    """A task of a Dag, and what it waits for.

    ```yaml
    task: {id: load, type: io.kestra.plugin.core.log.Log, message: load}
    dependsOn: [extract]
    ```
    """

    task: AnyTask
    """The task."""
    depends_on: list[str] = []
    """The ids of the tasks of this Dag that have to end before it starts."""


class Dag(Flowable):
    """Runs each task when all on which it depends have ended, however they did.

    Once a child failed no further one starts; those that run are awaited.

    ```yaml
    id: dag
    type: io.kestra.plugin.core.flow.Dag
    tasks:
      - task: {id: extract, type: io.kestra.plugin.core.log.Log, message: extract}
      - task: {id: check, type: io.kestra.plugin.core.log.Log, message: check}
      - task: {id: load, type: io.kestra.plugin.core.log.Log, message: load}
        dependsOn: [extract, check]
    ```
    """

    tasks: Annotated[list[DagTask], Field(min_length=1)]
    """The tasks, each with what it depends on."""
    concurrent: Annotated[int, Field(ge=0)] = 0
    """How many run at once; 0 for all."""

    @model_validator(mode="after")
    def _check_dependencies(self) -> Dag:
        known = {node.task.id for node in self.tasks}
        unknown = [
            _error("unknown_task", f"Not existing task id in dependency: {other}", at, other)
            for index, node in enumerate(self.tasks)
            for place, other in enumerate(node.depends_on)
            if other not in known and (at := ("tasks", index, "dependsOn", place))
        ]
        if unknown:
            raise ValidationError.from_exception_data("Dag", unknown)
        try:
            self._sorter().prepare()
        except CycleError as error:
            cycle = set(error.args[1])
            names = ", ".join(node.task.id for node in self.tasks if node.task.id in cycle)
            message = f"Cyclic dependency detected: {names}"
            errors = [_error("task_cycle", message, ("tasks",), names)]
            raise ValidationError.from_exception_data("Dag", errors) from None
        return self

    def plan(self, run: TaskRun) -> Plan:
        nodes = {node.task.id: node for node in self.tasks}
        after: dict[str, frozenset[str]] = {}
        lanes: list[Lane] = []
        for task_id in self._sorter().static_order():
            node = nodes[task_id]
            # A disabled task is left out: what waits for it waits for its dependencies instead.
            after[task_id] = frozenset(
                other
                for name in node.depends_on
                for other in (after[name] if nodes[name].task.disabled else (name,))
            )
            if not node.task.disabled:
                lanes.append(Lane((Child(node.task),), after[task_id]))
        return Plan(lanes, self.concurrent)

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("tasks",), [node.task for node in self.tasks]

    def children(self) -> Iterator[tuple[Location, Task]]:
        for at, task in super().children():
            yield ((*at, "task") if at[0] == "tasks" else at), task

    def _sorter(self) -> TopologicalSorter[str]:
        return TopologicalSorter({node.task.id: node.depends_on for node in self.tasks})


def _error(kind: str, message: str, at: tuple[str | int, ...], value: object) -> InitErrorDetails:
    custom = PydanticCustomError(kind, "{reason}", {"reason": message})
    return InitErrorDetails(type=custom, loc=at, input=value)
