"""What an execution must keep to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given

Flow = Callable[[str], Given]


def flow(*slas: str, more: str = "") -> str:
    return f"""
sla: [{", ".join("{" + sla + "}" for sla in slas)}]
tasks: [{{id: a, type: Work}}, {{id: b, type: Work}}]
errors: [{{id: e, type: Work}}]
finally: [{{id: f, type: Work}}]
{more}
"""


def longest(behavior: str, more: str = "") -> str:
    return f"id: s, type: MAX_DURATION, duration: PT10S, behavior: {behavior}{more}"


def holds(behavior: str, what: str = "{{ tasks.b is not defined }}") -> str:
    return f'id: s, type: EXECUTION_ASSERTION, assert: "{what}", behavior: {behavior}'


@pytest.mark.parametrize(("behavior", "end"), [("FAIL", "FAILED"), ("CANCEL", "CANCELLED")])
def test_one_that_takes_too_long_is_ended_and_what_runs_is_stopped(
    given: Flow, behavior: str, end: str
) -> None:
    outcome = given(flow(longest(behavior))).when_tasks(seconds={"b": 60}).run()
    outcome.then.ended(end).took(10).ran("a", "b").states(a="SUCCESS", b=end)
    outcome.then.says("the SLA `s` was violated: it took too long").reported("SlaViolated")
    assert outcome.world.stopped == [(outcome.task_run("b").id, 1)]


def test_it_may_only_be_told(given: Flow) -> None:
    outcome = given(flow(longest("NONE", ", labels: {late: '{{ flow.id }}'}")))
    outcome = outcome.when_tasks(seconds={"b": 60})
    outcome.run().then.ended("SUCCESS").took(62).has_labels(late="flow").reported("SlaViolated")


def test_one_that_is_in_time_is_left_alone(given: Flow) -> None:
    given(flow(longest("FAIL", ", labels: {late: x}"))).run().then.ended("SUCCESS").took(3)


@pytest.mark.parametrize("behavior", ["FAIL", "CANCEL", "NONE"])
def test_labels_are_put_on_the_one_that_violates_it(given: Flow, behavior: str) -> None:
    outcome = given(flow(longest(behavior, ", labels: {late: x}"))).when_tasks(seconds={"b": 60})
    outcome.run().then.has_labels(late="x")


@pytest.mark.parametrize(("behavior", "end"), [("FAIL", "FAILED"), ("CANCEL", "CANCELLED")])
def test_an_assertion_ends_it_as_soon_as_it_does_not_hold(
    given: Flow, behavior: str, end: str
) -> None:
    outcome = given(flow(holds(behavior))).when_tasks(seconds={"b": 60}).run()
    outcome.then.ended(end).says("its assertion does not hold").ran("a").took(1)


def test_an_assertion_that_speaks_of_what_is_not_there_yet_holds(given: Flow) -> None:
    sla = holds("FAIL", "{{ outputs.b.n > 3 }}")
    given(flow(sla)).when_tasks(outputs={"b": {"n": 5}}).run().then.ended("SUCCESS")
    given(flow(sla)).when_tasks(outputs={"b": {"n": 1}}).run().then.ended("FAILED")


def test_only_the_first_violation_acts(given: Flow) -> None:
    told = "id: t, type: MAX_DURATION, duration: PT5S, behavior: NONE, labels: {slow: x}"
    outcome = given(flow(told, longest("FAIL"))).when_tasks(seconds={"b": 60}).run()
    outcome.then.ended("SUCCESS").has_labels(slow="x")
    assert outcome.world.events.count("SlaViolated") == 1


def test_an_exit_after_one_that_was_only_told_awaits_what_runs(given: Flow) -> None:
    outcome = given("""
    sla: [{id: s, type: MAX_DURATION, duration: PT5S, behavior: NONE}]
    tasks:
      - id: p
        type: Parallel
        tasks:
          - {id: slow, type: Work}
          - {id: q, type: Sequential, tasks: [{id: w, type: Work}, {id: x, type: Exit}]}
    """).when_tasks(seconds={"slow": 60, "w": 9})
    outcome.run().then.ended("SUCCESS").states(slow="SUCCESS").took(60)


def test_executions_that_run_are_killed(given: Flow) -> None:
    text = flow(longest("FAIL")).replace(
        "{id: b, type: Work}", "{id: b, type: Subflow, namespace: t, flowId: child}"
    )
    outcome = given(text).when_children(seconds={"child": 60}).run()
    outcome.then.ended("FAILED").took(10)
    assert outcome.child().kills == 1


def test_the_time_may_be_an_expression(given: Flow) -> None:
    sla = "id: s, type: MAX_DURATION, duration: '{{ inputs.t }}', behavior: FAIL"
    text = flow(sla, more="inputs: [{id: t, type: STRING}]")
    given(text).inputs(t="PT4S").when_tasks(seconds={"b": 9}).run().then.ended("FAILED").took(4)


def test_a_paused_execution_is_watched(given: Flow) -> None:
    text = flow(longest("CANCEL")).replace("{id: b, type: Work}", "{id: b, type: Pause}")
    given(text).run().then.ended("CANCELLED").took(10)


def test_after_a_restart_the_time_is_not_watched(given: Flow) -> None:
    """Kestra watches it of executions that are created."""
    flow_ = given(flow(longest("FAIL"))).when_tasks(seconds={"b": 60}).at(20).control(restart={})
    flow_.run().then.ended("SUCCESS").took(20 + 60 + 1)


def test_after_execution_sees_the_end(given: Flow) -> None:
    after = "afterExecution: [{id: t, type: Work, see: '{{ execution.state }}'}]"
    flow_ = given(flow(longest("CANCEL"), more=after)).when_tasks(seconds={"b": 60})
    flow_.run().then.ended("CANCELLED").started_with("t", see="CANCELLED")


def test_the_timeout_of_a_flow_ends_it_like_an_sla(given: Flow) -> None:
    text = flow(longest("NONE"), more="timeout: PT4S")
    outcome = given(text).when_tasks(seconds={"b": 60}).run()
    outcome.then.ended("FAILED").took(4).says("the flow's timeout was violated: it took too long")


def test_what_is_stopped_by_it_is_not_told_as_retried(given: Flow) -> None:
    # given: a task that is done again by another execution, while one beside it takes too long
    retry = "{type: constant, interval: PT1H, behavior: CREATE_NEW_EXECUTION}"
    outcome = given(f"""
        sla: [{{{longest("FAIL")}}}]
        tasks:
          - id: both
            type: Parallel
            tasks: [{{id: a, type: Work, retry: {retry}}}, {{id: b, type: Work}}]
    """)
    # when
    ended = outcome.when_tasks(fail=["a"], seconds={"b": 60}).until(12)
    # then
    ended.then.ended("RETRIED").states(a="RETRIED", b="CANCELLED").attempts("b", "CANCELLED")
    assert ended.world.stopped == [(ended.task_run("b").id, 1)]


def test_what_is_stopped_by_it_is_not_told_as_a_success(given: Flow) -> None:
    outcome = given(f"""
        sla: [{{{longest("CANCEL")}}}]
        tasks:
          - id: both
            type: Parallel
            tasks: [{{id: b, type: Work}}, {{id: exit, type: Exit, state: SUCCESS}}]
    """)
    ended = outcome.when_tasks(seconds={"b": 60}).run()
    ended.then.attempts("b", "CANCELLED").states(b="CANCELLED")
