"""Fixtures of the tests of local executions."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.engine.interface.actions import Observation, Report, StartAttempt
from penstock.flow.loading import SourceDocument, load_documents
from penstock.flow.task import RunnableTask
from penstock.local.answers import Answers
from penstock.local.attempt import run_locally
from penstock.local.attempts import RunTask
from penstock.local.execution import LocalExecution
from penstock.local.flows import LocalFlows
from penstock.local.hosts import LocalHosts
from penstock.local.plugins import Plugins
from penstock.local.resource import new_spec
from penstock.local.services import LocalServices
from penstock.local.surroundings import Surroundings
from penstock.local.tasks import LocalTasks
from penstock.local.workspaces import Workspaces
from penstock.local.world import LocalWorld
from penstock.resources.execution import Attempt, ExecutionStatus, State, TaskRun
from penstock.storage.uris import ExecutionPlace
from penstock.types import flow_parser

HEAD = {"id": "tried", "namespace": "company.team"}


class Recorded:
    """Remembers all that it was told of one execution."""

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


class Hall:
    """An audience that remembers, for each execution in the order in which they came."""

    def __init__(self) -> None:
        self.opened_: list[tuple[str, str | None]] = []
        self.seen: list[Recorded] = []

    def opened(self, execution: str, flow: str, maker: str | None) -> Recorded:
        self.opened_.append((flow, maker))
        self.seen.append(Recorded())
        return self.seen[-1]


class Tried:
    """A world with an execution of the first flow."""

    def __init__(self, world: LocalWorld, execution: LocalExecution) -> None:
        self.world = world
        self.execution = execution

    async def run(self, timeout: timedelta | None = None) -> ExecutionStatus:
        """The first execution's status when nothing happens any more."""
        await self.world.run(timeout)
        return self.execution.status

    def others(self) -> list[LocalExecution]:
        """The executions that were made of it."""
        return [execution for execution in self.world if execution is not self.execution]


Try = Callable[..., Tried]


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def local_tasks(tmp_path: Path) -> Iterator[LocalTasks]:
    """Runs tasks as `penstock run` does."""
    hosts = LocalHosts(LocalServices(tmp_path / "storage"))
    with Workspaces() as workspaces:
        yield LocalTasks(hosts, workspaces, Plugins())


@pytest.fixture
def try_(hall: Hall, local_tasks: LocalTasks) -> Try:
    """An execution of a flow that is given as text; `id` and `namespace` may be left out.

    Further documents of the text are flows that stand ready.
    """

    def make(
        text: str,
        inputs: dict[str, object] | None = None,
        run_task: RunTask = local_tasks,
        answers: Answers | None = None,
        **of_spec: Any,
    ) -> Tried:
        flows = LocalFlows()
        for document in load_documents(text):
            named = SourceDocument(HEAD | document.value, document.lines)
            flows.add(flow_parser().parse(named).flow)
        hosts = local_tasks.hosts
        surroundings = Surroundings(functions=hosts.functions, services=hosts.services)
        world = LocalWorld(flows, run_task, hall, surroundings, answers)
        first = next(iter(flows))
        spec = new_spec(first, inputs or {}, {}).model_copy(update=of_spec)
        return Tried(world, world.start(spec))

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
        """The message of a core task that fails."""
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
