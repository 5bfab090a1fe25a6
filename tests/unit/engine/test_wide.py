"""Wide flows: however much a flow would start at once, one decision starts so much and no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock.engine.decision.engine import Engine
from penstock.engine.interface.limits import Limits
from penstock.resources.execution import ExecutionSpec, FlowReference
from penstock.types import expressions
from tests.fixtures import flows
from tests.fixtures.engine import IDENTITY, Given
from tests.fixtures.world import SECOND, START

Flow = Callable[[str], Given]

LOOP = """
tasks:
  - id: loop
    type: ForEach
    values: [1, 2, 3, 4, 5, 6, 7, 8, 9]
    concurrencyLimit: 0
    tasks:
      - {id: a, type: Work}
      - {id: b, type: Work}
"""
NESTED = """
tasks:
  - id: outer
    type: ForEach
    values: [x, y, z]
    concurrencyLimit: 0
    tasks:
      - id: inner
        type: ForEach
        values: [1, 2, 3]
        concurrencyLimit: 0
        tasks:
          - id: row
            type: Sequential
            tasks:
              - {id: a, type: Work}
              - {id: b, type: Work}
"""
INSTANT = """
tasks:
  - id: loop
    type: ForEach
    values: '{{ range(1, 40) }}'
    tasks:
      - {id: one, type: Labels, labels: {seen: "{{ taskrun.value }}"}}
      - {id: two, type: Labels, labels: {then: "{{ taskrun.value }}"}}
  - {id: last, type: Work}
"""
BRANCHES = """
tasks:
  - id: dag
    type: Dag
    tasks:
      - {task: {id: late, type: Work}, dependsOn: [c]}
      - {task: {id: a, type: Work}}
      - {task: {id: b, type: Work}}
      - {task: {id: c, type: Work}}
errors:
  - {id: tell, type: Work}
"""


def test_so_many_tasks_are_under_way_and_the_next_value_begins_when_one_has_ended(
    given: Flow,
) -> None:
    outcome = given(LOOP).limits(under_way=4).run()
    outcome.then.ended("SUCCESS").at_most_at_once(4)
    started = [name for name, _ in outcome.world.started]
    assert started[:5] == ["a[1]", "a[2]", "a[3]", "a[4]", "b[1]"]
    assert sorted(started) == sorted(f"{task}[{value}]" for value in range(1, 10) for task in "ab")


@pytest.mark.parametrize("limits", [{"under_way": 1}, {"starts": 1}, {"under_way": 2, "starts": 3}])
@pytest.mark.parametrize("flow", [LOOP, NESTED, INSTANT, BRANCHES])
def test_nothing_waits_for_ever(given: Flow, flow: str, limits: dict[str, int]) -> None:
    bounded, free = given(flow).limits(**limits).run(), given(flow).run()
    bounded.then.ended("SUCCESS")
    assert len(bounded.status.task_runs) == len(free.status.task_runs)


def test_the_first_failure_still_ends_the_loop(given: Flow) -> None:
    outcome = given(BRANCHES).limits(under_way=1, starts=1).when_tasks(fail=["b"]).run()
    outcome.then.ended("FAILED").ran("c", "a", "b", "tell")


@pytest.mark.parametrize("text", [LOOP, NESTED, INSTANT])
def test_one_decision_starts_so_much_and_the_next_one_is_due_at_once(text: str) -> None:
    # given
    engine = Engine(flows.flow(text), expressions(), Limits(starts=5))
    # when
    step = engine.begin(IDENTITY, ExecutionSpec(flow=FlowReference()), START)
    # then
    assert len(step.status.task_runs) == 5
    assert step.wake == START
    # when: the next one
    later = engine.advance(IDENTITY, step.status, {}, START + SECOND)
    assert len(later.status.task_runs) == 10
    assert later.wake == START + SECOND


def test_a_decision_that_has_started_all_there_is_waits_for_what_happens() -> None:
    engine = Engine(flows.flow(LOOP), expressions(), Limits(starts=50))
    assert engine.begin(IDENTITY, ExecutionSpec(flow=FlowReference()), START).wake is None
