"""Parents: what is settled as one, the execution itself or an open flowable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock.engine.interface.flowable import Plan
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.flow.task import Task
from penstock.resources.execution import State, TaskRun


@dataclass(frozen=True)
class Parent:
    """The execution (no run) or an open flowable."""

    run: TaskRun | None
    plan: Plan
    errors: Sequence[Task] = ()
    finally_: Sequence[Task] = ()
    handlers: frozenset[str] = field(default_factory=frozenset)
    """Ids of the tasks whose ends do not count."""

    @property
    def id(self) -> str | None:
        return None if self.run is None else self.run.id

    @property
    def verdict(self) -> State | None:
        return None if self.run is None else self.run.verdict

    def main_runs(self, run_index: TaskRunIndex) -> list[TaskRun]:
        """The task runs whose ends count."""
        return [run for run in run_index.children(self.id) if run.task_id not in self.handlers]

    def failed(self, run_index: TaskRunIndex) -> bool:
        """Whether no further child starts, and `errors` do."""
        if self.verdict is State.FAILED:
            return True
        if self.plan.goes_on:
            return False
        return any(run.task_id not in self.handlers for run in run_index.failed_children(self.id))


def handlers(*lists: Sequence[Task]) -> frozenset[str]:
    """The ids of tasks in lists of handlers."""
    return frozenset(task.id for tasks in lists for task in tasks)
