"""What every task may say: runIf, allowFailure, allowWarning, timeout."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from penstock.resources.execution import State
from tests.fixtures.engine import Given

Flow = Callable[[str], Given]


def two(option: str) -> str:
    return f"""
inputs: [{{id: flag, type: BOOL, defaults: true}}]
tasks:
  - {{id: a, type: Work, {option}}}
  - {{id: b, type: Work}}
"""


@pytest.mark.parametrize(
    "gate", ["false", '"{{ false }}"', '"{{ inputs.flag == false }}"', "0", '"0"', '"-0"', '""']
)
@pytest.mark.parametrize("name", ["runIf", "when"])
def test_a_task_is_skipped_where_its_gate_does_not_hold(given: Flow, name: str, gate: str) -> None:
    outcome = given(two(f"{name}: {gate}")).run()
    outcome.then.ended("SUCCESS").ran("b").states(a="SKIPPED").attempts("a")


@pytest.mark.parametrize("gate", ["true", '"{{ inputs.flag }}"', '"yes"', "1"])
def test_a_task_runs_where_its_gate_holds(given: Flow, gate: str) -> None:
    given(two(f"runIf: {gate}")).run().then.ended("SUCCESS").ran("a", "b")


def test_a_gate_that_cannot_be_rendered_fails_the_task_without_an_attempt(given: Flow) -> None:
    outcome = given(two('runIf: "{{ nothing }}"')).run()
    outcome.then.ended("FAILED").ran().attempts("a").says("task a", "nothing")


def test_a_gate_closes_a_flowable(given: Flow) -> None:
    outcome = given("""
    tasks: [{id: s, type: Sequential, runIf: "false", tasks: [{id: a, type: Work}]}]
    """).run()
    outcome.then.ended("SUCCESS").ran().states(s="SKIPPED").without("a")


def test_allow_failure_makes_a_warning(given: Flow) -> None:
    outcome = given(two("allowFailure: true")).when_tasks(fail=["a"]).run()
    outcome.then.ended("WARNING").ran("a", "b").states(a="WARNING").attempts("a", "FAILED")


def test_allow_failure_may_be_an_expression(given: Flow) -> None:
    flow = given(two('allowFailure: "{{ inputs.flag }}"')).when_tasks(fail=["a"])
    flow.run().then.ended("WARNING").ran("a", "b")
    flow.inputs(flag=False).run().then.ended("FAILED").ran("a")


def test_an_allow_failure_that_cannot_be_rendered_allows_nothing(given: Flow) -> None:
    flow = given(two('allowFailure: "{{ nothing }}"')).when_tasks(fail=["a"])
    flow.run().then.ended("FAILED").says("a is broken")


def test_allow_warning_makes_a_success(given: Flow) -> None:
    outcome = given(two("allowWarning: true")).when_tasks(states={"a": State.WARNING}).run()
    outcome.then.ended("SUCCESS").states(a="SUCCESS")


def test_both_make_a_success_of_a_failure(given: Flow) -> None:
    outcome = given(two("allowFailure: true, allowWarning: true")).when_tasks(fail=["a"]).run()
    outcome.then.ended("SUCCESS").ran("a", "b")


def test_properties_that_cannot_be_rendered_fail_the_attempt(given: Flow) -> None:
    outcome = given(two('with: "{{ outputs.never.x }}"')).run()
    outcome.then.ended("FAILED").ran().attempts("a", "FAILED")
    assert outcome.task_run("a").attempts[0].reason == "InvalidExpression"


@pytest.mark.parametrize(("timeout", "seconds"), [("PT5M", 300), ("\"{{ 'PT' ~ 90 ~ 'S' }}\"", 90)])
def test_a_timeout_goes_with_the_attempt(given: Flow, timeout: str, seconds: int) -> None:
    outcome = given(two(f"timeout: {timeout}")).run()
    assert outcome.start("a").timeout == timedelta(seconds=seconds)
    assert outcome.start("b").timeout is None


def test_a_timeout_that_is_no_duration_fails_the_attempt(given: Flow) -> None:
    given(two("timeout: \"{{ 'soon' }}\"")).run().then.ended("FAILED").says("`soon` is not an ISO")
