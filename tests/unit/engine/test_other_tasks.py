"""Tasks that are done without a pod, and what the system puts on executions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock.engine.interface.actions import ResumeExecution, ToggleTrigger
from tests.fixtures.engine import Given

Flow = Callable[[str], Given]


def test_resume_asks_for_a_paused_execution_to_go_on(given: Flow) -> None:
    outcome = given("""
    tasks: [{id: r, type: Resume, executionId: "{{ 'run-' ~ 2 }}", inputs: {n: "{{ 1 + 1 }}"}}]
    """).run()
    outcome.then.ended("SUCCESS").attempts("r", "SUCCESS")
    assert [action.command for action in outcome.world.performed] == [
        ResumeExecution("run-2", {"n": "2"})
    ]


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ("executionId: \"{{ '' }}\"", "`executionId` rendered to nothing"),
        ("executionId: x, inputs: no map", "`inputs` must be a map"),
        ('executionId: "{{ nothing }}"', "nothing"),
    ],
)
def test_a_resume_that_names_nothing_fails(given: Flow, properties: str, why: str) -> None:
    outcome = given(f"tasks: [{{id: r, type: Resume, {properties}}}]").run()
    outcome.then.ended("FAILED").says(why)
    assert outcome.world.performed == []


def test_toggle_is_for_the_flow_itself_unless_it_says_otherwise(given: Flow) -> None:
    outcome = given("""
    tasks:
      - {id: own, type: Toggle, trigger: t}
      - {id: other, type: Toggle, trigger: t, namespace: n, flowId: f, enabled: "{{ true }}"}
    """).run()
    outcome.then.ended("SUCCESS")
    assert [action.command for action in outcome.world.performed] == [
        ToggleTrigger("company.team", "flow", "t", False),
        ToggleTrigger("n", "f", "t", True),
    ]


def test_what_is_asked_for_is_asked_for_until_it_is_seen(given: Flow) -> None:
    world = given("tasks: [{id: t, type: Toggle, trigger: t}]").begin()
    blind = world.engine.advance(world.identity, world.status, {}, world.now)
    assert blind.actions == tuple(world.performed)
    assert blind.status == world.status


def test_a_template_is_never_found(given: Flow) -> None:
    outcome = given("tasks: [{id: t, type: Template, namespace: a.b, templateId: c}]").run()
    outcome.then.ended("FAILED").says("Can't find flow template 'a.b.c'")


def test_error_logs_tell_why_tasks_failed(given: Flow) -> None:
    outcome = given("""
    tasks:
      - {id: allowed, type: Work, allowFailure: true}
      - {id: bad, type: Work}
    errors:
      - id: e
        type: Work
        see: "{% for log in errorLogs() %}{{ log.taskId }}: {{ log.message }};{% endfor %}"
    """).when_tasks(fail=["allowed", "bad"])
    outcome.run().then.started_with("e", see="allowed: allowed is broken;bad: bad is broken;")


def test_the_labels_of_an_execution(given: Flow) -> None:
    text = "labels: {team: a, kind: b}\ntasks: [{id: w, type: Work}]"
    outcome = given(text).labels(team="c").run()
    assert outcome.status.labels == {
        "team": "c",
        "kind": "b",
        "system.correlationId": "run-1",
    }


def test_a_correlation_that_is_given_is_kept(given: Flow) -> None:
    flow = given("tasks: [{id: w, type: Work, see: '{{ labels.system.correlationId }}'}]")
    outcome = flow.labels(**{"system.correlationId": "above"}).run()
    outcome.then.started_with("w", see="above")


def test_an_exit_runs_no_handlers(given: Flow) -> None:
    """Kestra only tells that what runs beside it is not ended, but by KILLED; an execution that is
    left on purpose has neither failed nor come to its end, so nothing of it runs on."""
    outcome = given("""
    tasks: [{id: s, type: Sequential, tasks: [{id: x, type: Exit, state: FAILED}],
        errors: [{id: se, type: Work}], finally: [{id: sf, type: Work}]}]
    errors: [{id: e, type: Work}]
    finally: [{id: f, type: Work}]
    afterExecution: [{id: a, type: Work}]
    """).run()
    outcome.then.ended("FAILED").ran("a").states(s="FAILED", x="SUCCESS")


def test_a_killing_exit_stops_executions_beside_it(given: Flow) -> None:
    outcome = given("""
    tasks:
      - id: p
        type: Parallel
        tasks:
          - {id: s, type: Subflow, namespace: t, flowId: child}
          - {id: q, type: Sequential, tasks: [{id: w, type: Work},
              {id: x, type: Exit, state: KILLED}]}
    """).when_children(seconds={"child": 60})
    done = outcome.run()
    done.then.ended("KILLED").took(1).states(s="KILLED")
    assert done.child().kills == 1


def test_an_exit_awaits_executions_beside_it(given: Flow) -> None:
    outcome = given("""
    tasks:
      - id: p
        type: Parallel
        tasks:
          - {id: s, type: Subflow, namespace: t, flowId: child}
          - {id: x, type: Exit, state: WARNING}
    """).when_children(seconds={"child": 60})
    outcome.run().then.ended("WARNING").took(60).states(s="SUCCESS")
