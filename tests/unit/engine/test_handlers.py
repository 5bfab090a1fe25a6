"""errors and finally, of the flow and of a flowable; AllowFailure."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given

Flow = Callable[[str], Given]

GLOBAL = """
tasks:
  - {id: a, type: Work}
  - {id: b, type: Work}
errors:
  - {id: e1, type: Work}
  - {id: e2, type: Work}
finally:
  - {id: f1, type: Work}
  - {id: f2, type: Work}
"""


def test_errors_run_after_a_failure_and_finally_after_errors(given: Flow) -> None:
    given(GLOBAL).when_tasks(fail=["a"]).run().then.ended("FAILED").ran("a", "e1", "e2", "f1", "f2")


def test_without_a_failure_only_finally_runs(given: Flow) -> None:
    given(GLOBAL).run().then.ended("SUCCESS").ran("a", "b", "f1", "f2")


def test_a_failing_handler_ends_its_list_and_changes_nothing(given: Flow) -> None:
    outcome = given(GLOBAL).when_tasks(fail=["a", "e1", "f1"]).run()
    outcome.then.ended("FAILED").ran("a", "e1", "f1").says("task a: a is broken")


def test_a_failing_finally_leaves_the_success(given: Flow) -> None:
    given(GLOBAL).when_tasks(fail=["f1"]).run().then.ended("SUCCESS").ran("a", "b", "f1")


def test_a_warning_runs_no_errors(given: Flow) -> None:
    flow = GLOBAL.replace("{id: a, type: Work}", "{id: a, type: Work, allowFailure: true}")
    given(flow).when_tasks(fail=["a"]).run().then.ended("WARNING").ran("a", "b", "f1", "f2")


def test_handlers_see_all_outputs_and_the_state(given: Flow) -> None:
    outcome = (
        given("""
        tasks: [{id: a, type: Work}, {id: b, type: Work}]
        finally: [{id: f, type: Work, n: "{{ outputs.a.n }}", state: "{{ execution.state }}"}]
        """)
        .when_tasks(fail=["b"], outputs={"a": {"n": 1}})
        .run()
    )
    outcome.then.started_with("f", n="1", state="RUNNING")


LOCAL = """
tasks:
  - id: s
    type: Sequential
    tasks: [{id: a, type: Work}, {id: b, type: Work}]
    errors: [{id: local, type: Work}]
    finally: [{id: tidy, type: Work}]
  - {id: after, type: Work}
errors: [{id: global_, type: Work}]
"""


def test_inner_handlers_run_before_outer_ones(given: Flow) -> None:
    outcome = given(LOCAL).when_tasks(fail=["a"]).run()
    outcome.then.ended("FAILED").ran("a", "local", "tidy", "global_").states(s="FAILED")


def test_local_finally_runs_before_the_next_task(given: Flow) -> None:
    given(LOCAL).run().then.ended("SUCCESS").ran("a", "b", "tidy", "after")


def test_a_flowable_that_may_fail_runs_its_errors_and_the_flow_goes_on(given: Flow) -> None:
    flow = LOCAL.replace("type: Sequential", "type: Sequential\n    allowFailure: true")
    outcome = given(flow).when_tasks(fail=["a"]).run()
    outcome.then.ended("WARNING").ran("a", "local", "tidy", "after").states(s="WARNING")


def test_errors_start_at_the_first_failure_and_finally_waits_for_all(given: Flow) -> None:
    outcome = (
        given("""
        tasks:
          - id: p
            type: Parallel
            tasks: [{id: a, type: Work}, {id: slow, type: Work}]
            errors: [{id: e, type: Work}]
            finally: [{id: f, type: Work}]
        """)
        .when_tasks(fail=["a"], seconds={"slow": 10})
        .run()
    )
    started = {name: start.attempt.created_date for name, start in outcome.world.started}
    outcome.then.ended("FAILED").ran("a", "slow", "e", "f").took(11)
    assert (started["e"] - started["a"]).total_seconds() == 1
    assert (started["f"] - started["a"]).total_seconds() == 10


def test_handlers_of_parallel_tasks_run_one_after_the_other(given: Flow) -> None:
    outcome = (
        given("""
        tasks:
          - id: p
            type: Parallel
            tasks: [{id: a, type: Work}]
            errors: [{id: e1, type: Work}, {id: e2, type: Work}]
        """)
        .when_tasks(fail=["a"])
        .run()
    )
    outcome.then.ran("a", "e1", "e2").at_most_at_once(1)


def test_handlers_may_hold_flowables(given: Flow) -> None:
    outcome = (
        given("""
        tasks: [{id: a, type: Work}]
        errors:
          - id: loop
            type: ForEach
            values: [x, y]
            tasks: [{id: e, type: Work}]
        """)
        .when_tasks(fail=["a"])
        .run()
    )
    outcome.then.ended("FAILED").ran("a", "e[x]", "e[y]")


def test_allow_failure_turns_a_failure_into_a_warning(given: Flow) -> None:
    outcome = (
        given("""
        tasks:
          - id: try_
            type: AllowFailure
            tasks: [{id: a, type: Work}, {id: b, type: Work}]
            errors: [{id: e, type: Work}]
          - {id: after, type: Work}
        errors: [{id: global_, type: Work}]
        """)
        .when_tasks(fail=["a"])
        .run()
    )
    outcome.then.ended("WARNING").ran("a", "e", "after").states(try_="WARNING", a="FAILED")


@pytest.mark.parametrize("kind", ["KILLED", "CANCELLED"])
def test_killed_runs_no_errors(given: Flow, kind: str) -> None:
    from penstock.resources.execution import State

    outcome = given(GLOBAL).when_tasks(states={"a": State(kind)}).run()
    outcome.then.ended(kind).without("e1")
