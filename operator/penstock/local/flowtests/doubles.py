"""The doubles of tasks and of people while a test case runs."""

from __future__ import annotations

from penstock.engine.interface.actions import Observation, Report, StartAttempt
from penstock.local.attempts import OnLog, Place, Started
from penstock.local.flowtests.fixtures import FixedTasks
from penstock.local.tasks import LocalTasks
from penstock.local.watching import Watcher
from penstock.resources.execution import ExecutionStatus, TaskRun


class TasksOfCase:
    """Runs tasks, but for those that are fixtures of the tested execution."""

    def __init__(self, fixed: FixedTasks, tasks: LocalTasks) -> None:
        self._fixed = fixed
        self._tasks = tasks
        self.first = ""
        """The name of the tested execution."""

    async def __call__(
        self, place: Place, start: StartAttempt, on_log: OnLog, started: Started
    ) -> Observation:
        if place.identity.original == self.first or place.identity.name == self.first:
            end = self._fixed.end_of(start)
            if end is not None:
                return end
        return await self._tasks(place, start, on_log, started)


class Nobody:
    """A watcher that says nothing."""

    def opened(self, execution: str, flow: str, maker: str | None) -> Watcher:
        return self

    def changed(self, status: ExecutionStatus) -> None: ...

    def logged(self, run: TaskRun, stream: str, line: str) -> None: ...

    def reported(self, report: Report) -> None: ...
