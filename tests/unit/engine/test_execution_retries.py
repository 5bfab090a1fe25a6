"""CREATE_NEW_EXECUTION: the execution ends RETRIED, and another one does it again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest

from penstock.engine.interface.actions import KillExecution, StartExecution
from tests.fixtures.engine import Given
from tests.fixtures.world import START

Flow = Callable[[str], Given]

NEW = "behavior: CREATE_NEW_EXECUTION"
HANDLERS = "errors: [{id: e, type: Work}]\nfinally: [{id: f, type: Work}]"


def of_task(retry: str = "type: constant, interval: PT10S", more: str = "") -> str:
    return f"tasks: [{{id: a, type: Work, retry: {{{retry}, {NEW}}}}}]\n{more}"


def of_flow(retry: str = "type: constant, interval: PT10S", more: str = "") -> str:
    return f"retry: {{{retry}, {NEW}}}\ntasks: [{{id: a, type: Work}}]\n{more}"


@pytest.mark.parametrize("flow", [of_task(), of_flow()])
def test_a_failure_ends_it_retried(given: Flow, flow: str) -> None:
    outcome = given(flow + HANDLERS).when_tasks(fail=["a"]).until(5)
    outcome.then.ended("RETRIED").states(a="RETRIED").ran("a").made("flow")
    outcome.then.says("a is broken").history("CREATED", "RUNNING", "RETRIED")


def test_the_next_one_has_all_that_this_one_had(given: Flow) -> None:
    flow = of_flow(more="inputs: [{id: n, type: INT}]\nlabels: {team: x}")
    asked = given(flow).inputs(n="4").trigger("some.Webhook", body=1).when_tasks(fail=["a"])
    spec = asked.until(5).children[0].spec
    assert spec.inputs == {"n": 4}
    assert spec.labels == {"team": "x", "system.correlationId": "run-1"}
    assert spec.trigger is not None
    assert spec.trigger.variables == {"body": 1}
    assert spec.flow.revision == 3
    assert spec.schedule_date == START + timedelta(seconds=11)
    assert spec.retry is not None
    assert (spec.retry.original, spec.retry.attempt, spec.retry.first_date) == ("run-1", 2, START)


def test_what_is_around_the_failure_is_retried_as_well(given: Flow) -> None:
    flow = f"""
    tasks:
      - id: s
        type: Sequential
        tasks: [{{id: a, type: Work, retry: {{type: constant, interval: PT1S, {NEW}}}}}]
    """
    given(flow).when_tasks(fail=["a"]).until(1).then.ended("RETRIED").states(s="RETRIED")


def test_what_runs_beside_the_failure_is_awaited(given: Flow) -> None:
    flow = f"""
    tasks:
      - id: p
        type: Parallel
        tasks:
          - {{id: a, type: Work, retry: {{type: constant, interval: PT1S, {NEW}}}}}
          - {{id: b, type: Work}}
    """
    outcome = given(flow).when_tasks(fail=["a"], seconds={"b": 9}).until(9)
    outcome.then.ended("RETRIED").states(b="SUCCESS", p="RETRIED")
    assert outcome.status.end_date == START + timedelta(seconds=9)


def test_it_ends_only_once_the_next_one_is_there(given: Flow) -> None:
    """Nothing is decided about an execution that has ended."""
    world = given(of_flow()).when_tasks(fail=["a"]).begin()
    world.cluster.now = START + timedelta(seconds=1)
    observed = world.observations()
    first = world.engine.advance(world.identity, world.status, observed, world.now)
    second = world.engine.advance(world.identity, first.status, observed, world.now)
    assert first.status.state == second.status.state == "RUNNING"
    assert first.actions == second.actions
    assert [type(action).__name__ for action in first.actions] == ["StartExecution"]


@pytest.mark.parametrize("flow", [of_task, of_flow])
def test_executions_are_counted_as_attempts(given: Flow, flow: Callable[[str], str]) -> None:
    retry = "type: constant, interval: PT10S, maxAttempts: 3"
    outcome = given(flow(retry) + HANDLERS).when_tasks(fail=["a"]).rest()
    outcome.then.ended("RETRIED").made("flow", "flow")
    assert [outcome.child(index).status.state for index in (0, 1)] == ["RETRIED", "FAILED"]


def test_the_last_attempt_fails_as_any_execution(given: Flow) -> None:
    flow = given(of_flow("type: constant, interval: PT10S, maxAttempts: 2") + HANDLERS)
    outcome = flow.retry_of("first", 2).when_tasks(fail=["a"]).run()
    outcome.then.ended("FAILED").ran("a", "e", "f").made()


def test_a_retry_that_succeeds_is_followed_by_none(given: Flow) -> None:
    given(of_flow()).retry_of("first", 2).run().then.ended("SUCCESS").made()


@pytest.mark.parametrize(("ago", "end"), [(20, "RETRIED"), (50, "FAILED")])
def test_the_longest_duration_counts_from_the_first_execution(
    given: Flow, ago: int, end: str
) -> None:
    flow = given(of_flow("type: constant, interval: PT10S, maxDuration: PT1M"))
    outcome = flow.retry_of("first", 2, seconds_ago=ago).when_tasks(fail=["a"]).until(5)
    outcome.then.ended(end)


def test_waits_grow_from_execution_to_execution(given: Flow) -> None:
    flow = given(of_flow("type: exponential, interval: PT1S, maxInterval: PT1M, maxAttempts: 4"))
    outcome = flow.when_tasks(fail=["a"]).rest()
    starts = [START, *(start.spec.schedule_date or START for start in outcome.children)]
    waits = [(b - a).total_seconds() - 1 for a, b in itertools.pairwise(starts)]
    assert waits == [1, 2, 4]


def test_its_expressions_know_the_first_one(given: Flow) -> None:
    flow = of_flow().replace("type: Work", "type: Work, see: '{{ execution.originalId }}'")
    given(flow).retry_of("first", 2).run().then.started_with("a", see="first")


def test_a_retry_keeps_its_parent(given: Flow) -> None:
    outcome = given(of_flow()).child_of("above").when_tasks(fail=["a"]).until(1)
    parent = outcome.children[0].spec.parent
    assert parent is not None
    assert parent.execution == "above"


def test_a_kill_before_the_failure_is_retried_by_none(given: Flow) -> None:
    flow = given(of_flow()).when_tasks(fail=["a"], seconds={"a": 9})
    flow.at(5).kill().run().then.ended("KILLED").made()


def test_a_duration_that_is_watched_counts_from_the_date_of_the_retry(given: Flow) -> None:
    sla = "sla: [{id: s, type: MAX_DURATION, duration: PT30S, behavior: FAIL}]"
    flow = given(of_flow("type: constant, interval: PT10M, maxAttempts: 2", sla))
    outcome = flow.when_tasks(fail=["a"]).rest()
    assert "a is broken" in (outcome.child().status.message or "")


def test_outputs_of_an_execution_that_is_retried_are_none(given: Flow) -> None:
    flow = given(of_flow(more="outputs: [{id: x, type: STRING, value: y}]"))
    assert flow.when_tasks(fail=["a"]).until(1).status.outputs is None


def test_a_kill_while_the_next_one_is_being_made_reaches_it(given: Flow) -> None:
    world = given(of_flow()).when_tasks(fail=["a"]).begin()
    world.cluster.now = START + timedelta(seconds=1)
    first = world.engine.advance(world.identity, world.status, world.observations(), world.now)
    (made,) = first.actions
    world.kill(world.now)
    killed = world.engine.advance(world.identity, first.status, {}, world.now)
    assert killed.status.state == "KILLED"
    assert isinstance(made, StartExecution)
    assert killed.actions == (KillExecution(made.name),)
