"""What holds for every flow, however its tasks end and whenever the controller dies."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from penstock.catalog import expressions
from penstock.engine.actions import AttemptKey, Observation, StartAttempt, Step
from penstock.engine.engine import Engine
from penstock.engine.flowables.dag import Dag
from penstock.engine.flowables.each import EachParallel
from penstock.engine.flowables.for_each import ForEach
from penstock.engine.flowables.parallel import Parallel
from penstock.engine.limits import Limits
from penstock.resources.execution import (
    ExecutionSpec,
    ExecutionStatus,
    FlowReference,
    State,
    TaskRun,
)
from tests.fixtures.engine import IDENTITY
from tests.fixtures.generated import GeneratedFlow, generated_flows
from tests.fixtures.world import SECOND, START, name_of

SPEC = ExecutionSpec(flow=FlowReference())
EXAMPLES = settings(max_examples=150)


@dataclass
class Chaos:
    """A cluster in which news comes late and in any order, and the controller may die."""

    made: GeneratedFlow
    dice: Random
    crashes: bool = False
    now: datetime = START
    status: ExecutionStatus = field(default_factory=ExecutionStatus)
    ends: dict[AttemptKey, tuple[datetime, Observation]] = field(default_factory=dict)
    told: set[AttemptKey] = field(default_factory=set)
    requested: Counter[AttemptKey] = field(default_factory=Counter)
    saved: list[tuple[datetime, ExecutionStatus, dict[AttemptKey, Observation]]] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        self.engine = Engine(self.made.flow, expressions(), Limits(task_runs=60, attempts=8))

    def run(self) -> ExecutionStatus:
        self.take(self.engine.begin(IDENTITY, SPEC, self.now))
        for _ in range(2_000):
            if self.status.state.terminated:
                self.check_end()
                return self.status
            self.now = self.next_moment()
            self.step()
        raise AssertionError("the engine does not come to an end")

    def step(self) -> None:
        seen = self.observations()
        step = self.engine.advance(IDENTITY, self.status, seen, self.now)
        self.check_twice(step, seen)
        self.take(step)

    def observations(self) -> dict[AttemptKey, Observation]:
        """What is seen: some ends are not known yet, some Jobs not at all."""
        seen: dict[AttemptKey, Observation] = {}
        keys = list(self.ends)
        self.dice.shuffle(keys)
        for key in keys:
            end, ending = self.ends[key]
            late = self.dice.random() < 0.2 and end + 5 * SECOND > self.now
            if end <= self.now and not late:
                seen[key] = ending
                self.told.add(key)
            elif key not in self.told and self.dice.random() < 0.8:
                seen[key] = Observation(State.RUNNING)
                self.told.add(key)
            elif key in self.told:
                seen[key] = Observation(State.RUNNING)
        self.saved.append((self.now, self.status, seen))
        return seen

    def take(self, step: Step) -> None:
        """Store the status, as text, then act; a crash in between loses the actions."""
        stored = json.dumps(step.status.to_json())
        self.status = ExecutionStatus.from_json(json.loads(stored))
        assert self.status == step.status
        self.check_limits(step.status)
        if self.crashes and self.dice.random() < 0.3 and not step.status.state.terminated:
            return
        for action in step.actions:
            if not isinstance(action, StartAttempt):
                self.ends.pop(action.key, None)
                continue
            self.requested[action.key] += 1
            if action.key in self.ends:
                assert action.key not in self.told, "requested again although it was seen"
                continue
            ending = self.made.ending(name_of(step.status, action.task_run), action.attempt.number)
            end = self.now + ending.seconds * SECOND
            seen = Observation(ending.state, self.now, end, 0, "Made", "up", ending.outputs)
            self.ends[action.key] = (end, seen)

    def next_moment(self) -> datetime:
        waits = [run.next_attempt for run in self.status.task_runs if run.next_attempt]
        moments = [end for end, _ in self.ends.values()] + waits
        return min((moment for moment in moments if moment > self.now), default=self.now + SECOND)

    def check_twice(self, step: Step, seen: dict[AttemptKey, Observation]) -> None:
        """Deciding again gives the same; and what was decided needs no second decision."""
        again = self.engine.advance(IDENTITY, self.status, dict(reversed(seen.items())), self.now)
        assert again == step
        if not step.status.state.terminated:
            settled = self.engine.advance(IDENTITY, step.status, seen, self.now)
            if step.wake is None or step.wake > self.now:
                assert settled.status == step.status
                assert {a.key for a in settled.actions} == {a.key for a in step.actions}

    def check_limits(self, status: ExecutionStatus) -> None:
        tasks = {place.id: place for place in _flowables(self.made)}
        for run in status.task_runs:
            task = tasks.get(run.task_id)
            if task is None:
                continue
            handlers = {item.id for item in (*task.errors, *task.finally_)}
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

    def check_end(self) -> None:
        for run in self.status.task_runs:
            assert run.state.terminated
            assert all(attempt.state.terminated for attempt in run.attempts)
            numbers = [attempt.number for attempt in run.attempts]
            assert numbers == list(range(1, len(numbers) + 1))
        if not self.crashes:
            assert all(end <= self.now for key, (end, _) in self.ends.items()), (
                "a Job outlives its execution"
            )


def check_order(dag: Dag, run: TaskRun, status: ExecutionStatus) -> None:
    """A task that has started comes after all on which it depends."""
    states = {child.task_id: child.state for child in status.task_runs if child.parent == run.id}
    disabled = {node.task.id for node in dag.tasks if node.task.disabled}
    for node in dag.tasks:
        if node.task.id in states:
            awaited = set(node.depends_on) - disabled
            assert all(name in states and states[name].terminated for name in awaited)


def _flowables(made: GeneratedFlow) -> list[Parallel | EachParallel | ForEach | Dag]:
    from penstock.flow.checks import walk_tasks

    limited = Parallel | EachParallel | ForEach | Dag
    return [task for _, task in walk_tasks(made.flow) if isinstance(task, limited)]


def outline(status: ExecutionStatus) -> list[tuple[str, str, list[str]]]:
    """Which task runs there are and how they ended, without dates."""

    def line(run: TaskRun) -> tuple[str, str, list[str]]:
        return name_of(status, run), str(run.state), [str(item.state) for item in run.attempts]

    return sorted(line(run) for run in status.task_runs)


@EXAMPLES
@for_all(generated_flows(), st.integers(0, 10**6))
def test_every_execution_ends_whatever_the_order_of_the_news(
    made: GeneratedFlow, seed: int
) -> None:
    Chaos(made, Random(seed)).run()


@EXAMPLES
@for_all(generated_flows(), st.integers(0, 10**6))
def test_a_controller_that_dies_between_intent_and_action_loses_nothing(
    made: GeneratedFlow, seed: int
) -> None:
    Chaos(made, Random(seed), crashes=True).run()


@EXAMPLES
@for_all(generated_flows(), st.integers(0, 10**6), st.data())
def test_replaying_from_any_stored_status_gives_the_same_end(
    made: GeneratedFlow, seed: int, data: st.DataObject
) -> None:
    first = Chaos(made, Random(seed))
    first.run()
    if not first.saved:
        return
    begin = data.draw(st.integers(0, len(first.saved) - 1))
    status = first.saved[begin][1]
    engine = Engine(made.flow, expressions(), Limits(task_runs=60, attempts=8))
    for now, _, seen in first.saved[begin:]:
        stored = ExecutionStatus.from_json(json.loads(json.dumps(status.to_json())))
        status = engine.advance(IDENTITY, stored, seen, now).status
    assert status == first.status


@for_all(generated_flows())
def test_two_runs_of_the_same_news_are_the_same(made: GeneratedFlow) -> None:
    first, second = (Chaos(made, Random(1)).run() for _ in range(2))
    assert first == second
    assert outline(first) == outline(second)
