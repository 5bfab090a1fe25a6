"""Tasks after each other and beside each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given

Flow = Callable[[str], Given]

A_THEN_B = """
tasks:
  - {id: a, type: Work}
  - {id: b, type: Work}
"""


def test_tasks_run_in_the_order_in_which_they_are_written(given: Flow) -> None:
    given(A_THEN_B).run().then.ended("SUCCESS").ran("a", "b").took(2)


def test_a_failed_task_ends_the_flow(given: Flow) -> None:
    outcome = given(A_THEN_B).when_tasks(fail=["a"]).run()
    outcome.then.ended("FAILED").ran("a").without("b").says("task a: a is broken")


def test_the_states_of_an_execution(given: Flow) -> None:
    given(A_THEN_B).run().then.history("CREATED", "RUNNING", "SUCCESS")


@pytest.mark.parametrize("state", ["WARNING", "KILLED", "CANCELLED"])
def test_only_failed_stops_a_sequence(given: Flow, state: str) -> None:
    from penstock.resources.execution import State

    outcome = given(A_THEN_B).when_tasks(states={"a": State(state)}).run()
    outcome.then.ended(state).ran("a", "b")


def test_a_nested_sequence_hands_its_worst_state_on(given: Flow) -> None:
    outcome = (
        given("""
        tasks:
          - id: outer
            type: Sequential
            tasks:
              - id: inner
                type: Sequential
                tasks: [{id: a, type: Work}, {id: b, type: Work}]
              - {id: c, type: Work}
          - {id: d, type: Work}
        """)
        .when_tasks(fail=["a"])
        .run()
    )
    outcome.then.ended("FAILED").ran("a").states(inner="FAILED", outer="FAILED")


def test_a_flowable_has_no_attempts(given: Flow) -> None:
    outcome = given("""
    tasks: [{id: s, type: Sequential, tasks: [{id: a, type: Work}]}]
    """).run()
    outcome.then.attempts("s").attempts("a", "SUCCESS")


PARALLEL = """
tasks:
  - id: p
    type: Parallel
    {limit}
    tasks:
      - {{id: a, type: Work}}
      - {{id: b, type: Work}}
      - {{id: c, type: Work}}
      - {{id: d, type: Work}}
  - {{id: after, type: Work}}
"""


def test_parallel_tasks_run_at_once(given: Flow) -> None:
    outcome = given(PARALLEL.format(limit="")).run()
    outcome.then.ended("SUCCESS").at_most_at_once(4).took(2)


def test_concurrent_limits_parallel_tasks(given: Flow) -> None:
    outcome = given(PARALLEL.format(limit="concurrent: 2")).when_tasks(seconds={"a": 5}).run()
    outcome.then.ended("SUCCESS").ran("a", "b", "c", "d", "after").at_most_at_once(2).took(6)


def test_a_failure_in_parallel_awaits_who_runs_and_starts_nobody(given: Flow) -> None:
    """Kestra leaves them running behind an ended parent: its known issue 2179."""
    outcome = (
        given(PARALLEL.format(limit="concurrent: 2"))
        .when_tasks(fail=["a"], seconds={"b": 10})
        .run()
    )
    outcome.then.ended("FAILED").ran("a", "b").states(b="SUCCESS", p="FAILED").took(10)


def test_disabled_tasks_leave_no_trace(given: Flow) -> None:
    outcome = given("""
    tasks:
      - {id: a, type: Work, disabled: true}
      - id: s
        type: Sequential
        tasks: [{id: b, type: Work, disabled: true}]
      - id: p
        type: Parallel
        disabled: true
        tasks: [{id: c, type: Work}]
    """).run()
    outcome.then.ended("SUCCESS").ran().without("a", "b", "p", "c").states(s="SUCCESS")


def test_a_disabled_flow_is_not_executed(given: Flow) -> None:
    outcome = given("disabled: true\ntasks: [{id: a, type: Work}]").run()
    outcome.then.ended("FAILED").says("the flow is disabled").ran()


def test_progress_counts_what_ended_and_what_is_known_to_come(given: Flow) -> None:
    world = given(A_THEN_B).begin()
    assert world.status.progress == "0/2"
    world.happen()
    assert world.status.progress == "1/2"
    world.happen()
    assert world.status.progress == "2/2"
