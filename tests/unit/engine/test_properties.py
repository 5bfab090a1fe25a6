"""What holds for every flow, however its tasks end, whatever people do, and whenever the controller
dies."""

from __future__ import annotations

import json
from random import Random

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from penstock.engine.decision.engine import Engine
from penstock.engine.kinds.flowables.dag import Dag
from penstock.engine.kinds.flowables.each import EachParallel
from penstock.engine.kinds.flowables.for_each import ForEach
from penstock.engine.kinds.flowables.parallel import Parallel
from penstock.flow.checks import walk_tasks
from penstock.resources.execution import ExecutionStatus, TaskRun
from tests.fixtures.chaos import Chaos, News, decide
from tests.fixtures.engine import IDENTITY
from tests.fixtures.generated import GeneratedFlow, generated_flows
from tests.fixtures.world import name_of

EXAMPLES = settings(max_examples=50)
"""Enough: 120 of them take twice the time and reach hardly a line of the engine that 50 do not."""


def chaos(made: GeneratedFlow, seed: int, crashes: bool = False, people: bool = False) -> Chaos:
    return Chaos(made, Random(seed), IDENTITY, crashes, people)


@EXAMPLES
@for_all(generated_flows(), st.integers(0, 10**6))
def test_every_execution_ends_whatever_the_order_of_the_news(
    made: GeneratedFlow, seed: int
) -> None:
    run = chaos(made, seed)
    run.run()
    for news in run.saved:
        check_limits(made, news.status)


@EXAMPLES
@for_all(generated_flows(), st.integers(0, 10**6))
def test_a_controller_that_dies_between_intent_and_action_loses_nothing(
    made: GeneratedFlow, seed: int
) -> None:
    chaos(made, seed, crashes=True).run()


@EXAMPLES
@for_all(generated_flows(), st.integers(0, 10**6), st.booleans())
def test_people_may_do_anything_at_any_time(made: GeneratedFlow, seed: int, crashes: bool) -> None:
    chaos(made, seed, crashes, people=True).run()


@EXAMPLES
@for_all(generated_flows(), st.integers(0, 10**6), st.booleans(), st.data())
def test_replaying_from_any_stored_status_gives_the_same_end(
    made: GeneratedFlow, seed: int, people: bool, data: st.DataObject
) -> None:
    first = chaos(made, seed, people=people)
    first.run()
    if not first.saved:
        return
    begin = data.draw(st.integers(0, len(first.saved) - 1))
    assert again(first.fresh(), first.saved[begin:]) == first.status


def again(engine: Engine, saved: list[News]) -> ExecutionStatus:
    """Decide once more upon the same news, from the first status on."""
    status = saved[0].status
    for news in saved:
        stored = ExecutionStatus.from_json(json.loads(json.dumps(status.to_json())))
        step = decide(engine, News(news.now, news.identity, stored, news.seen, news.children))
        status = step.status
    return status


@for_all(generated_flows())
def test_two_runs_of_the_same_news_are_the_same(made: GeneratedFlow) -> None:
    first, second = (chaos(made, 1, people=True).run() for _ in range(2))
    assert first == second
    assert outline(first) == outline(second)


def outline(status: ExecutionStatus) -> list[tuple[str, str, list[str]]]:
    """The task runs and their ends, without dates."""

    def line(run: TaskRun) -> tuple[str, str, list[str]]:
        return name_of(status, run), str(run.state), [str(item.state) for item in run.attempts]

    return sorted(line(run) for run in status.task_runs)


def check_limits(made: GeneratedFlow, status: ExecutionStatus) -> None:
    """Check that no more runs at once than may, and that nothing ends before what is inside it."""
    kinds = Parallel | EachParallel | ForEach | Dag
    tasks = {task.id: task for _, task in walk_tasks(made.flow) if isinstance(task, kinds)}
    for run in status.task_runs:
        task = tasks.get(run.task_id)
        if task is None:
            continue
        handlers = {handler.id for handler in (*task.errors, *task.finally_)}
        live = [
            child
            for child in status.task_runs
            if child.parent == run.id
            and child.task_id not in handlers
            and not child.state.terminated
        ]
        limit = task.concurrency_limit if isinstance(task, ForEach) else task.concurrent
        assert limit == 0 or len(live) <= limit
        assert not (run.state.terminated and live), "a parent ended before its child"
        if isinstance(task, Dag):
            check_order(task, run, status)


def check_order(dag: Dag, run: TaskRun, status: ExecutionStatus) -> None:
    """A task that has started comes after all on which it depends."""
    states = {child.task_id: child.state for child in status.task_runs if child.parent == run.id}
    disabled = {node.task.id for node in dag.tasks if node.task.disabled}
    for node in dag.tasks:
        if node.task.id in states:
            awaited = set(node.depends_on) - disabled
            assert all(name in states and states[name].terminated for name in awaited)
