"""Parallel: children beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from penstock.engine.flowable import Child, Flowable, Lane, Plan, enabled
from penstock.flow.problems import Location
from penstock.flow.task import Task, Tasks
from penstock.resources.execution import TaskRun


class Parallel(Flowable):
    """Runs its tasks at the same time.

    Once a child failed no further one starts; those that run are awaited (Kestra leaves them
    running behind an ended parent, its known issue 2179).
    """

    tasks: Tasks
    """The tasks."""
    concurrent: Annotated[int, Field(ge=0)] = 0
    """How many run at once; 0 for all."""

    def plan(self, run: TaskRun) -> Plan:
        return Plan([Lane((Child(task),)) for task in enabled(self.tasks)], self.concurrent)

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("tasks",), self.tasks
