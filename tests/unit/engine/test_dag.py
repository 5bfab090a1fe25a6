"""Dag: tasks that wait for those on which they depend."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given
from tests.fixtures.flows import reasons

Flow = Callable[[str], Given]


def dag(nodes: str, more: str = "") -> str:
    """`c: a b, d:` as the tasks of a Dag."""
    lines = ["tasks:", "  - id: dag", "    type: Dag", "    tasks:"]
    for node in nodes.split(", "):
        name, _, others = node.rpartition(":")
        task, _, options = name.partition(" ")
        extra = f", {options}" if options else ""
        lines.append(f"      - task: {{id: {task}, type: Work{extra}}}")
        lines.append(f"        dependsOn: [{', '.join(others.split())}]")
    return "\n".join([*lines, *(f"    {line}" for line in more.splitlines())])


def test_a_task_starts_when_all_on_which_it_depends_have_ended(given: Flow) -> None:
    outcome = given(dag("a:, b:, c:a b, d:a, e:c d")).when_tasks(seconds={"b": 5}).run()
    outcome.then.ended("SUCCESS").ran("a", "b", "d", "c", "e").took(7).at_most_at_once(2)


def test_the_order_in_which_they_are_written_does_not_matter(given: Flow) -> None:
    given(dag("c:b, b:a, a:")).run().then.ended("SUCCESS").ran("a", "b", "c").took(3)


def test_no_more_than_concurrent_run_at_once(given: Flow) -> None:
    flow = dag("a:, b:, c:a, d:b, e:a", "concurrent: 2")
    outcome = given(flow).when_tasks(seconds={"a": 3, "d": 9}).run()
    outcome.then.ended("SUCCESS").at_most_at_once(2).ran("a", "b", "d", "c", "e")


@pytest.mark.parametrize(
    ("first", "state"),
    [("a runIf: false", "SKIPPED"), ("a allowFailure: true", "WARNING"), ("a", "KILLED")],
)
def test_any_end_but_a_failure_lets_the_next_start(given: Flow, first: str, state: str) -> None:
    from penstock.resources.execution import State

    fail = ["a"] if state == "WARNING" else []
    states = {"a": State.KILLED} if state == "KILLED" else None
    outcome = given(dag(f"b:a, {first}:")).when_tasks(fail=fail, states=states).run()
    outcome.then.states(a=state, b="SUCCESS")


def test_a_failure_starts_nothing_more_and_what_runs_is_awaited(given: Flow) -> None:
    flow = dag("a:, b:, c:b, d:a", "errors: [{id: e, type: Work}]")
    outcome = given(flow).when_tasks(fail=["a"], seconds={"b": 5}).run()
    outcome.then.ended("FAILED").ran("a", "b", "e").without("c", "d").took(5)


def test_what_waits_for_a_disabled_task_waits_for_what_that_waited_for(given: Flow) -> None:
    outcome = given(dag("a:, b disabled: true:a, c:b")).run()
    outcome.then.ended("SUCCESS").ran("a", "c").took(2).without("b")


def test_a_dag_of_flowables(given: Flow) -> None:
    outcome = (
        given("""
    tasks:
      - id: dag
        type: io.kestra.core.tasks.flows.Dag
        tasks:
          - task: {id: last, type: Work, see: "{{ outputs.b.n }}"}
            dependsOn: [first]
          - task:
              id: first
              type: Sequential
              tasks: [{id: a, type: Work}, {id: b, type: Work}]
    """)
        .when_tasks(outputs={"b": {"n": 1}})
        .run()
    )
    outcome.then.ended("SUCCESS").ran("a", "b", "last").started_with("last", see="1")


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ("a:, b:x", "line 8: tasks[0].tasks[1].dependsOn[0]: Not existing task id in depend"),
        ("a:b, b:a", "line 4: tasks[0].tasks: Cyclic dependency detected: a, b"),
        ("a:a", "line 4: tasks[0].tasks: Cyclic dependency detected: a"),
        ("a:b, b:c, c:b, d:c", "line 4: tasks[0].tasks: Cyclic dependency detected: b, c"),
        ("a:, a:", "line 7: tasks[0].tasks[1].task.id: Duplicate task id with name [a]"),
        ("a oops: 1:, b retry: {}:", "line 7: tasks[0].tasks[1].task.retry: missing"),
    ],
)  # fmt: skip
def test_wrong_dependencies_are_told_where_they_stand(nodes: str, told: str) -> None:
    assert any(line.startswith(told) for line in reasons(dag(nodes))), reasons(dag(nodes))


def test_a_dag_has_tasks() -> None:
    (found,) = reasons("tasks: [{id: dag, type: Dag, tasks: []}]")
    assert "tasks[0].tasks: must not be empty" in found
