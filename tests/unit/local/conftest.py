"""What the tests of local executions have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from penstock.catalog import expressions, flow_parser
from penstock.engine.actions import Report
from penstock.engine.engine import Engine
from penstock.flow.loading import load_document
from penstock.local.execution import LocalExecution, RunTask
from penstock.local.resource import new_identity, new_spec
from penstock.resources.execution import ExecutionStatus, TaskRun
from penstock.tasks.local import run_locally

HEAD = "id: tried\nnamespace: company.team\n"


class Recorded:
    """Remembers all that it was told."""

    def __init__(self) -> None:
        self.statuses: list[ExecutionStatus] = []
        self.lines: list[tuple[str, str]] = []
        self.reports: list[Report] = []

    def changed(self, status: ExecutionStatus) -> None:
        self.statuses.append(status)

    def logged(self, run: TaskRun, stream: str, line: str) -> None:
        self.lines.append((run.task_id, line))

    def reported(self, report: Report) -> None:
        self.reports.append(report)


MakeExecution = Callable[..., LocalExecution]
Run = Callable[..., Awaitable[ExecutionStatus]]


@pytest.fixture
def watcher() -> Recorded:
    return Recorded()


@pytest.fixture
def make_execution(watcher: Recorded) -> MakeExecution:
    """An execution of a flow that is given as text without its id and namespace."""

    def make(
        text: str, inputs: dict[str, object] | None = None, run_task: RunTask = run_locally
    ) -> LocalExecution:
        flow = flow_parser().parse(load_document(HEAD + text)).flow
        engine = Engine(flow, expressions())
        spec = new_spec(flow, inputs or {}, {})
        return LocalExecution(engine, new_identity(flow, {}), spec, watcher, run_task)

    return make
