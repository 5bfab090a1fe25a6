"""Tasks that the engine does itself: Labels, Assert, SetVariables, UnsetVariables, Exit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given
from tests.fixtures.flows import reasons

Flow = Callable[[str], Given]


def then_work(task: str, more: str = "") -> str:
    """One task, and then one that shows what it sees."""
    return f"""
labels: {{team: a, stage: dev}}
variables: {{x: 1, y: 2}}
tasks:
  - {{id: it, {task}}}
  - {{id: after, type: Work, labels: "{{{{ labels }}}}", vars: "{{{{ vars }}}}"}}
{more}
"""


@pytest.mark.parametrize(
    "labels",
    [
        "{stage: live, n: 3, run: '{{ taskrun.value ?? flow.id }}'}",
        "[{key: stage, value: live}, {key: n, value: '3'}, {key: run, value: '{{ flow.id }}'}]",
        '\'{"stage": "live", "n": "3", "run": "{{ flow.id }}"}\'',
    ],
)
def test_labels_are_added_and_replaced(given: Flow, labels: str) -> None:
    outcome = given(then_work(f"type: Labels, labels: {labels}")).run()
    outcome.then.ended("SUCCESS").ran("after").attempts("it", "SUCCESS").took(1)
    expected = {"team": "a", "stage": "live", "n": "3", "run": "flow"}
    assert {**outcome.status.labels, "system.correlationId": ""} == {
        **expected,
        "system.correlationId": "",
    }
    assert '"stage":"live"' in outcome.start("after").properties["labels"]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("{system.x: '1'}", "System labels can only be set by Kestra itself"),
        ('\'{"system.x": "1"}\'', "System labels can only be set by Kestra itself"),
        ("no JSON", "must be a map, or the JSON text of one"),
        ("'[1]'", "must be a map, or the JSON text of one"),
        ("'{\"a\": 1}'", "the label `a` must be text"),
        ("{a: [1]}", "the label `a` must be text"),
        ("{a: '{{ nothing }}'}", "nothing"),
    ],
)
def test_wrong_labels_fail_the_task_and_change_nothing(given: Flow, labels: str, told: str) -> None:
    outcome = given(then_work(f"type: Labels, labels: {labels}")).run()
    outcome.then.ended("FAILED").ran().says("task it", told).attempts("it", "FAILED")
    assert outcome.status.labels["stage"] == "dev"


def test_an_assertion_that_holds_lets_the_flow_go_on(given: Flow) -> None:
    flow = then_work("type: Assert, conditions: ['{{ vars.x == 1 }}', true, 1]")
    given(flow).run().then.ended("SUCCESS").ran("after")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("", "the condition `{{ vars.x == 2 }}` does not hold"),
        (", errorMessage: 'x is {{ vars.x }}'", "x is 1"),
        (", errorMessage: {x: '{{ vars.x }}', wanted: [2]}", '{"x":"1","wanted":[2]}'),
    ],
)
def test_an_assertion_that_does_not_hold_fails(given: Flow, more: str, told: str) -> None:
    flow = then_work("type: Assert, conditions: [true, '{{ vars.x == 2 }}']" + more)
    given(flow).run().then.ended("FAILED").ran().says(told)


@pytest.mark.parametrize(
    ("task", "seen"),
    [
        ("type: SetVariables, variables: {x: '{{ vars.x + 1 }}', z: [a]}",
         '{"x":"2","y":2,"z":["a"]}'),
        ("type: SetVariables, variables: {x: 3, z: true}", '{"x":3,"y":2,"z":true}'),
        ("type: SetVariables, variables: {x: null, z: null}", '{"x":1,"y":2}'),
        ("type: SetVariables, variables: {}", '{"x":1,"y":2}'),
        ("type: SetVariables, variables: {'{{ flow.id }}_{{ vars.x }}': {'n{{ vars.y }}': a}}",
         '{"x":1,"y":2,"flow_1":{"n2":"a"}}'),
        ("type: SetVariables, variables: {z: 3}, overwrite: false", '{"x":1,"y":2,"z":3}'),
        ("type: UnsetVariables, variables: [x]", '{"y":2}'),
        ("type: UnsetVariables, variables: [z], ignoreMissing: true", '{"x":1,"y":2}'),
    ],
)  # fmt: skip
def test_variables_are_other_ones_from_then_on(given: Flow, task: str, seen: str) -> None:
    outcome = given(then_work(task, "outputs: [{id: x, value: '{{ vars }}'}]")).run()
    outcome.then.ended("SUCCESS")
    assert outcome.start("after").properties["vars"] == seen
    assert outcome.status.outputs is not None
    assert outcome.status.outputs["x"] == outcome.status.variables


def test_nested_variables_are_merged_deeply(given: Flow) -> None:
    flow = """
    variables: {city: {name: Oslo, size: {people: 700, trams: [11, 12]}}, plain: text, list: [a]}
    tasks:
      - id: it
        type: SetVariables
        variables:
          city: {size: {trams: [12, true, 13, {a: 1}], area: "{{ vars.city.size.people / 2 }}"}}
          plain: {now: a map}
          list: text
      - {id: after, type: Work, see: "{{ vars }}"}
    """
    outcome = given(flow).run()
    outcome.then.ended("SUCCESS")
    assert outcome.status.variables == {
        "city": {
            "name": "Oslo",
            "size": {"people": 700, "trams": [11, 12, True, 13, {"a": 1}], "area": "350"},
        },
        "plain": {"now": "a map"},
        "list": "text",
    }


def test_a_counter_counts_as_text(given: Flow) -> None:
    flow = """
    variables: {count: "0"}
    tasks:
      - id: until
        type: LoopUntil
        condition: "{{ (vars.count | number) >= 3 }}"
        tasks:
          - id: count
            type: SetVariables
            variables: {count: "{{ (vars.count | number) + 1 }}"}
      - {id: see, type: Work, is: "{{ vars.count == '3' }} {{ vars.count == 3 }}"}
    """
    given(flow).run().then.ended("SUCCESS").started_with("see", **{"is": "true false"})


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("type: SetVariables, variables: {'{{ \"x\" }}': 3}, overwrite: false", "names: x"),
        ("type: SetVariables, variables: {x: 3}, overwrite: false", "variables of these names: x"),
        ("type: UnsetVariables, variables: [x, z]", "no variables of these names: z"),
        ("type: SetVariables, variables: {z: '{{ nothing }}'}", "nothing"),
    ],
)
def test_variables_that_cannot_be_changed_fail_the_task(given: Flow, task: str, told: str) -> None:
    outcome = given(then_work(task)).run()
    outcome.then.ended("FAILED").ran().says(told)
    assert outcome.status.variables is None


def test_what_tasks_set_is_bounded(given: Flow) -> None:
    flow = then_work("type: SetVariables, variables: {x: 'a long text'}")
    given(flow).limits(set_bytes=10).run().then.ended("FAILED").says("larger than 10 bytes")


def test_an_instant_task_has_the_options_of_any_task(given: Flow) -> None:
    outcome = given("""
    tasks:
      - {id: off, type: Exit, disabled: true}
      - {id: skipped, type: Exit, runIf: false}
      - {id: allowed, type: Assert, conditions: [false], allowFailure: true}
      - id: again
        type: Assert
        conditions: ["{{ taskrun.attemptsCount == 1 }}"]
        retry: {type: constant, interval: PT5S, maxAttempts: 3}
      - {id: after, type: Work}
    """).run()
    outcome.then.ended("WARNING").without("off").ran("after").took(6)
    outcome.then.states(skipped="SKIPPED", allowed="WARNING").attempts("again", "FAILED", "SUCCESS")


@pytest.mark.parametrize(
    ("state", "end"),
    [("SUCCESS", "SUCCESS"), ("WARNING", "WARNING"), ("FAILED", "FAILED"),
     ("CANCELED", "CANCELLED"), ("'{{ vars.end }}'", "WARNING")],
)  # fmt: skip
def test_an_exit_awaits_what_runs_and_starts_nothing_more(
    given: Flow, state: str, end: str
) -> None:
    outcome = (
        given(f"""
    variables: {{end: WARNING}}
    tasks:
      - id: both
        type: Parallel
        tasks:
          - id: long
            type: Sequential
            tasks: [{{id: a, type: Work}}, {{id: b, type: Work}}]
          - {{id: retried, type: Work, retry: {{type: constant, interval: PT1S}}}}
          - id: short
            type: Sequential
            tasks: [{{id: c, type: Work}}, {{id: out, type: Exit, state: {state}}}]
          - {{id: d, type: Work}}
        finally: [{{id: g, type: Work}}]
      - {{id: next, type: Work}}
    errors: [{{id: e, type: Work}}]
    finally: [{{id: f, type: Work}}]
    """)
        .when_tasks(fail=["retried"], seconds={"a": 5, "retried": 2})
        .run()
    )
    outcome.then.ended(end).ran("a", "retried", "c", "d").took(5)
    outcome.then.states(a="SUCCESS", retried="CANCELLED", out="SUCCESS", both=end, long=end)


def test_an_exit_with_killed_stops_what_runs(given: Flow) -> None:
    outcome = (
        given("""
    tasks:
      - id: both
        type: Parallel
        tasks:
          - {id: a, type: Work}
          - id: short
            type: Sequential
            tasks: [{id: c, type: Work}, {id: out, type: Exit, state: KILLED}]
    """)
        .when_tasks(seconds={"a": 50})
        .run()
    )
    outcome.then.ended("KILLED").took(1).states(a="KILLED", both="KILLED", c="SUCCESS")
    assert len(outcome.world.stopped) == 1


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("type: Exit, state: RUNNING", "tasks[0].state"),
        ("type: Assert", "tasks[0].conditions: missing required property"),
        ("type: Assert, conditions: []", "tasks[0].conditions: must not be empty"),
        ("type: SetVariables, variables: [x]", "tasks[0].variables: must be a map"),
        ("type: UnsetVariables, variables: {x: 1}", "tasks[0].variables: must be a list"),
        ("type: Labels, label: {}", "tasks[0].label: unknown property `label`; did you mean"),
        ("type: Labels, labels: [x]", "tasks[0].labels: a label is written as"),
    ],
)
def test_wrong_properties_refuse_the_flow(task: str, told: str) -> None:
    found = reasons(f"tasks: [{{id: it, {task}}}]")
    assert any(told in line for line in found), found
