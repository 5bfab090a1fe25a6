"""Runs test cases: each in a world of its own, all of them in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic

from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.rendering.evaluators import BoundEvaluator
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.tree import FlowTree
from penstock.expressions import ExpressionError, Host
from penstock.flow.document import Flow
from penstock.flow.parse import FlowParser
from penstock.flow.problems import InvalidFlow
from penstock.local.attempts import now
from penstock.local.execution import LocalExecution
from penstock.local.files import FoundFlow
from penstock.local.flows import LocalFlows
from penstock.local.flowtests.assertions import Outcome, look_at
from penstock.local.flowtests.doubles import Nobody, TasksOfCase
from penstock.local.flowtests.files import FlowName, FoundTest, no_such_flow
from penstock.local.flowtests.fixtures import (
    FixedTasks,
    InvalidFixture,
    Rendering,
    check_fixtures,
    replace_tasks,
    store_files,
)
from penstock.local.flowtests.model import Assertion, Fixtures, TestCase
from penstock.local.flowtests.results import CaseResult, Looked, Verdict
from penstock.local.hosts import LocalHosts
from penstock.local.plugins import Plugins
from penstock.local.resource import new_spec
from penstock.local.services import LocalServices
from penstock.local.surroundings import Surroundings
from penstock.local.tasks import LocalTasks
from penstock.local.workspaces import Workspaces
from penstock.local.world import LocalWorld
from penstock.resources.execution import TriggerReference
from penstock.storage.errors import StorageError
from penstock.storage.execution import NamespaceFiles
from penstock.storage.uris import ExecutionPlace
from penstock.types import expressions

AT_ONCE = 16
"""Cases that run beside each other."""


class _CannotRun(Exception):
    """The case can't be run; the text tells why."""


@dataclass(frozen=True)
class Runner:
    """Runs test cases."""

    parser: FlowParser
    plugins: Plugins
    timeout: timedelta
    """The time after which an execution is killed."""

    async def run(
        self, tests: Iterable[tuple[FoundTest, Mapping[FlowName, FoundFlow]]]
    ) -> list[CaseResult]:
        """Run all cases of the tests, each with the flows that it sees, and give their results in
        order."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(
            found: FoundTest, flows: Mapping[FlowName, FoundFlow], index: int
        ) -> CaseResult:
            async with slots:
                return await self._case(found, flows, index)

        return await asyncio.gather(
            *(
                one(found, flows, index)
                for found, flows in tests
                for index in range(len(found.test.test_cases))
            )
        )

    async def _case(
        self, found: FoundTest, flows: Mapping[FlowName, FoundFlow], index: int
    ) -> CaseResult:
        case = found.test.test_cases[index]
        result = CaseResult(found, case, Verdict.SKIPPED, found.line("testCases", index))
        if case.disabled or found.test.disabled:
            return result
        began = monotonic()
        try:
            with ExitStack() as stack:
                run = _CaseRun(self, found, case, flows, stack)
                execution = await run.execute()
                looked = [
                    Looked(assertion, found.line("testCases", index, "assertions", number), seen)
                    for number, (assertion, seen) in enumerate(run.assertions(execution))
                ]
        except Exception as error:  # whatever the error is, the other cases run
            told = (
                str(error) if isinstance(error, _CannotRun) else f"{type(error).__name__}: {error}"
            )
            seconds = monotonic() - began
            return replace(result, verdict=Verdict.ERROR, error=told, seconds=seconds)
        passed = all(item.passed for item in looked)
        return replace(
            result,
            verdict=Verdict.PASSED if passed else Verdict.FAILED,
            looked=looked,
            seconds=monotonic() - began,
            execution=execution.name,
            status=execution.status,
        )


class _CaseRun:
    """Runs one case: its world and its execution."""

    def __init__(
        self,
        runner: Runner,
        found: FoundTest,
        case: TestCase,
        flows: Mapping[FlowName, FoundFlow],
        stack: ExitStack,
    ) -> None:
        self._runner = runner
        self._case = case
        self._flow, ready = self._flows(found, flows)
        self._hosts = LocalHosts(stack.enter_context(LocalServices.opened()))
        workspaces = stack.enter_context(Workspaces())
        tasks = LocalTasks(self._hosts, workspaces, runner.plugins)
        self._rendering = self._render_with(case.fixtures)
        self._tasks = TasksOfCase(self._fixed(case.fixtures), tasks)
        surroundings = Surroundings(functions=self._hosts.functions, services=self._hosts.services)
        self._world = LocalWorld(ready, self._tasks, Nobody(), surroundings, triggers=False)

    async def execute(self) -> LocalExecution:
        """Run the flow of the case. Raises :class:`_CannotRun` where it is refused."""
        try:
            inputs = self._rendering.tree(self._case.fixtures.inputs)
        except ExpressionError as error:
            raise _CannotRun(f"a fixture can't be rendered: {error}") from None
        spec = new_spec(self._flow, inputs, {})
        spec = spec.model_copy(update={"trigger": self._trigger()})
        execution = self._world.start(spec)
        self._tasks.first = execution.name
        await self._world.run(self._runner.timeout)
        if execution.refusal is not None:
            raise _CannotRun(execution.status.message or execution.refusal)
        return execution

    def assertions(self, execution: LocalExecution) -> Iterable[tuple[Assertion, list[Outcome]]]:
        """Check each assertion of the case."""
        for assertion in self._case.assertions:
            evaluator = self._evaluator(execution, assertion.task_id)
            if evaluator is None:
                error = f"the task {assertion.task_id} did not run"
                yield (
                    assertion,
                    [
                        Outcome(name, wanted, None, False, error)
                        for name, wanted in assertion.conditions().items()
                    ],
                )
            else:
                yield assertion, look_at(assertion, evaluator)

    def _evaluator(self, execution: LocalExecution, task: str | None) -> BoundEvaluator | None:
        tree = FlowTree(self._flow)
        status = execution.status
        board = TaskRunIndex(status.task_runs, tree.traits)
        evaluation = Evaluation(
            expressions(),
            self._flow,
            execution.identity,
            status,
            board,
            functions=self._hosts.functions,
        )
        if task is None:
            return evaluation.of_execution(now())
        runs = [run for run in board if run.task_id == task]
        return evaluation.of_task_run(runs[-1], tree[task].task) if runs else None

    def _flows(
        self, found: FoundTest, flows: Mapping[FlowName, FoundFlow]
    ) -> tuple[Flow, LocalFlows]:
        test = found.test
        name = (test.namespace, test.flow_id)
        if name not in flows:
            raise _CannotRun(no_such_flow(test, flows))
        try:
            document = replace_tasks(flows[name].document, self._case.fixtures.tasks)
            flow = self._runner.parser.parse(document).flow
            check_fixtures(flow, self._case.fixtures)
        except InvalidFlow as error:
            problem = error.problems[0]
            raise _CannotRun(f"the flow is not valid: line {problem.line}: {problem}") from None
        except InvalidFixture as error:
            raise _CannotRun(str(error)) from None
        ready = LocalFlows()
        ready.add(flow)
        for other, item in flows.items():
            if other != name and item.flow is not None:
                ready.add(item.flow)
        return flow, ready

    def _render_with(self, fixtures: Fixtures) -> Rendering:
        flow, services = self._flow, self._hosts.services
        try:
            files = store_files(NamespaceFiles(services.storage, flow.namespace), fixtures)
        except StorageError as error:
            raise _CannotRun(str(error)) from None
        place = ExecutionPlace(flow.namespace, flow.id, "fixtures")
        functions = services.execution(place).functions()
        date = now()
        variables = {"files": files, "flow": {"id": flow.id, "namespace": flow.namespace}}
        return Rendering(expressions(), variables, Host(now=lambda: date, functions=functions))

    def _fixed(self, fixtures: Fixtures) -> FixedTasks:
        try:
            return FixedTasks(fixtures.tasks, self._rendering)
        except ExpressionError as error:
            raise _CannotRun(f"a fixture can't be rendered: {error}") from None

    def _trigger(self) -> TriggerReference | None:
        given = self._case.fixtures.trigger
        if given is None:
            return None
        own = next(item for item in self._flow.triggers if item.id == given.id)
        return TriggerReference(id=given.id, type=given.type or own.type, variables=given.variables)
