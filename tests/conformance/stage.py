"""A world in which all conformance flows stand ready, and everything that happened in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from penstock.engine.interface.actions import Report
from penstock.flow.document import Flow
from penstock.local.answers import Answers
from penstock.local.execution import LocalExecution
from penstock.local.flows import LocalFlows
from penstock.local.hosts import LocalHosts
from penstock.local.resource import Made, new_spec
from penstock.local.services import LocalServices
from penstock.local.surroundings import Surroundings
from penstock.local.tasks import LocalTasks
from penstock.local.workspaces import Workspaces
from penstock.local.world import LocalWorld
from penstock.resources.execution import ExecutionStatus, TaskRun
from penstock.tasks.contract.services import LogEntry
from tests.conformance.cases import FOLDER, read
from tests.conformance.stubs import types_with_stubs

LIMIT = timedelta(seconds=60)

OnChange = Callable[[ExecutionStatus], None]


class Seen:
    """Everything that one execution was."""

    def __init__(self) -> None:
        self.statuses: list[ExecutionStatus] = []
        self.reports: list[Report] = []
        self.on_change: OnChange | None = None

    def changed(self, status: ExecutionStatus) -> None:
        self.statuses.append(status)
        if self.on_change is not None:
            self.on_change(status)

    def logged(self, run: TaskRun, stream: str, line: str) -> None: ...

    def reported(self, report: Report) -> None:
        self.reports.append(report)


class Hall:
    """Looks at all executions."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}

    def opened(self, execution: str, flow: str, maker: str | None) -> Seen:
        self.seen[execution] = Seen()
        return self.seen[execution]


class Stage:
    """The world, and what is needed to prepare it."""

    def __init__(
        self, flows: LocalFlows, services: LocalServices, tasks: LocalTasks, answers: Answers | None
    ) -> None:
        self.flows = flows
        self.services = services
        self.hall = Hall()
        surroundings = Surroundings({"testvalue": "test"}, {}, tasks.hosts.functions, services)
        self.world = LocalWorld(flows, tasks, self.hall, surroundings, answers)
        self.hosts = tasks.hosts

    @classmethod
    @contextmanager
    def set(
        cls, folder: Path, first: Flow, inputs: Mapping[str, Any], answers: Answers | None = None
    ) -> Iterator[Stage]:
        """Set the stage with all flows, and the given one as its inputs need it."""
        flows = LocalFlows()
        flows.add(_below_the_input_check(first, inputs))
        for flow in all_flows():
            if (flow.namespace, flow.id) != (first.namespace, first.id):
                flows.add(flow)
        with ExitStack() as stack:
            services = LocalServices(folder)
            workspaces = stack.enter_context(Workspaces())
            tasks = LocalTasks(LocalHosts(services), workspaces, types_with_stubs())
            yield cls(flows, services, tasks, answers)

    def flow(self, flow: Flow) -> Flow:
        """The flow as it stands ready."""
        ready = self.flows.get(flow.namespace, flow.id)
        assert ready is not None
        return ready

    def start(
        self, flow: Flow, inputs: Mapping[str, Any], files: Mapping[str, Path], **of_spec: Any
    ) -> LocalExecution:
        """An execution; `files` are the values of its inputs of type FILE."""
        name = Made.new(flow.id).name
        stored = {
            key: self.hosts.stored_input(name, flow, key, file) for key, file in files.items()
        }
        spec = new_spec(flow, {**inputs, **stored}, {}).model_copy(update=of_spec)
        return self.world.start(spec, name)

    async def run(self) -> None:
        await self.world.run(LIMIT)

    def seen(self, execution: LocalExecution) -> Seen:
        return self.hall.seen[execution.name]

    def others(self, execution: LocalExecution) -> list[LocalExecution]:
        return [other for other in self.world if other is not execution]

    def logs(self, execution: LocalExecution, task: str) -> list[LogEntry]:
        return [entry for entry in self.services.logs(execution.name) if entry.task == task]


@cache
def all_flows() -> list[Flow]:
    """All flows of the folder that Penstock can read; of two with the same name the first."""
    found: dict[tuple[str, str], Flow] = {}
    for file in sorted((FOLDER / "flows" / "valids").iterdir()):
        for item in read(str(file.relative_to(FOLDER))).flows:
            if item.flow is not None:
                found.setdefault((item.flow.namespace, item.flow.id), item.flow)
    return list(found.values())


def _below_the_input_check(flow: Flow, given: Mapping[str, Any]) -> Flow:
    """A flow whose required inputs may be missing: Kestra's tests call its engine directly, which
    misses none."""
    declared = [
        item
        for item in flow.inputs
        if item.id in given or item.defaults is not None or not item.required
    ]
    return flow.model_copy(update={"inputs": declared})
