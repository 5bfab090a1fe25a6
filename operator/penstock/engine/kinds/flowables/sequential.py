"""Sequential: children one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.engine.interface.flowable import Flowable, Plan, in_sequence
from penstock.flow.problems import Location
from penstock.flow.task import Task, Tasks
from penstock.resources.execution import TaskRun


class Sequential(Flowable):
    """Runs its tasks one after the other; a failed one ends it.

    ```yaml
    id: in-order
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
      - {id: first, type: io.kestra.plugin.core.log.Log, message: first}
      - {id: second, type: io.kestra.plugin.core.log.Log, message: second}
    ```
    """

    tasks: Tasks
    """The tasks, in order."""

    def plan(self, run: TaskRun) -> Plan:
        return in_sequence(self.tasks)

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("tasks",), self.tasks
