"""What the tests of local executions have in common."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.catalog import expressions, flow_parser
from penstock.engine.actions import Observation, Report, StartAttempt
from penstock.engine.engine import Engine
from penstock.flow.loading import load_document
from penstock.flow.task import RunnableTask
from penstock.local.execution import LocalExecution, RunTask
from penstock.local.resource import new_identity, new_spec
from penstock.local.services import LocalServices
from penstock.resources.execution import Attempt, ExecutionStatus, State, TaskRun
from penstock.storage.uris import ExecutionPlace
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


CORE = "io.kestra.plugin.core"
HERE = ExecutionPlace("company.team", "tried", "run-1")


class Attempts:
    """Runs single attempts of one execution, with everything that a local run offers."""

    def __init__(self, local: LocalServices) -> None:
        self.local = local
        self.host = local.execution(HERE)
        self.lines: list[tuple[str, str]] = []

    async def run(
        self,
        task_type: str,
        properties: Mapping[str, Any],
        *,
        task: Mapping[str, Any] | None = None,
        value: str | None = None,
        directory: Path | None = None,
    ) -> Observation:
        now = datetime(2026, 1, 2, tzinfo=UTC)
        start = StartAttempt(
            TaskRun(id="r", task_id="t", state=State.CREATED, start_date=now, value=value),
            Attempt(number=1, state=State.CREATED, created_date=now),
            RunnableTask(id="t", type=task_type, **(task or {})),
            properties,
        )
        return await run_locally(start, self._log, self.host, directory)

    async def outputs(self, task_type: str, **properties: Any) -> dict[str, Any]:
        """The outputs of a core task that succeeds, by the end of its type's name."""
        seen = await self.run(f"{CORE}.{task_type}", properties)
        assert seen.state is State.SUCCESS, seen.message
        return dict(seen.outputs or {})

    async def failure(self, task_type: str, **properties: Any) -> str:
        """What a core task that fails says."""
        seen = await self.run(f"{CORE}.{task_type}", properties)
        assert (seen.state, seen.reason) == (State.FAILED, "TaskFailed")
        return seen.message or ""

    def store(self, text: str, name: str = "file.txt") -> str:
        """The URI of a file with this text."""
        return self.host.files.put_output("before", "r0", name, io.BytesIO(text.encode()))

    def text(self, uri: str) -> str:
        with self.host.files.open(uri) as file:
            return file.read().decode()

    def _log(self, stream: str, line: str) -> None:
        self.lines.append((stream, line))


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    return Attempts(LocalServices(tmp_path / "storage"))
