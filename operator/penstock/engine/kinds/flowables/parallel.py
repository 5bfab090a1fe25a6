"""Parallel: children beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from penstock.engine.interface.flowable import Child, Flowable, Lane, Plan, enabled
from penstock.flow.problems import Location
from penstock.flow.task import Task, Tasks
from penstock.resources.execution import TaskRun


class Parallel(Flowable):
    """Runs its tasks at the same time.

    Once a child failed no further one starts; those that run are awaited.

    ```yaml
    id: both
    type: io.kestra.plugin.core.flow.Parallel
    concurrent: 2
    tasks:
      - {id: left, type: io.kestra.plugin.core.log.Log, message: left}
      - {id: right, type: io.kestra.plugin.core.log.Log, message: right}
    ```
    """

    tasks: Tasks
    """The tasks."""
    concurrent: Annotated[int, Field(ge=0)] = 0
    """How many run at once; 0 for all."""

    # Kestra leaves the other children running behind an ended parent, its known issue 2179.
    def plan(self, run: TaskRun) -> Plan:
        return Plan([Lane((Child(task),)) for task in enabled(self.tasks)], self.concurrent)

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("tasks",), self.tasks
