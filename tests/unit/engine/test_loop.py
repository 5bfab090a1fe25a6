"""Loop: the same tasks for each of many values, each iteration on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.engine import Given, Outcome

Flow = Callable[[str], Given]


def loop(properties: str, tasks: str = "{id: a, type: Work, see: '{{ item.value }}'}") -> str:
    return f"""
tasks:
  - id: l
    type: Loop
    {properties}
    tasks: [{tasks}]
  - {{id: after, type: Work, see: "{{{{ outputs.l.outputs }}}}"}}
"""


GIVES = 'outputs: [{id: n, type: INT, value: "{{ outputs.a.n }}"}]'


def recorded(outcome: Outcome, name: str = "l") -> list[Any]:
    """The outputs of the iterations, in order."""
    return [entry["outputs"] for entry in (outcome.task_run(name).outputs or {})["outputs"]]


def seen(outcome: Outcome, task_id: str = "a") -> list[Any]:
    """The variables that each start of a task saw."""
    return [
        start.properties.get("see")
        for name, start in outcome.world.started
        if name.partition("[")[0] == task_id
    ]


def test_its_tasks_run_for_each_value_all_at_once(given: Flow) -> None:
    outcome = given(loop("values: [x, y, z]")).run()
    outcome.then.ended("SUCCESS").ran("a[x]", "a[y]", "a[z]", "after").took(2)
    assert seen(outcome) == ["x", "y", "z"]


@pytest.mark.parametrize(("limit", "seconds", "at_once"), [(0, 4, 4), (1, 16, 1), (2, 8, 2)])
def test_how_many_values_are_worked_on_at_once(
    given: Flow, limit: int, seconds: int, at_once: int
) -> None:
    flow = loop(
        f"values: [1, 2, 3, 4]\n    concurrencyLimit: {limit}",
        ", ".join(f"{{id: t{i}, type: Work}}" for i in range(4)),
    )
    given(flow).run().then.took(seconds + 1).at_most_at_once(at_once)


def test_what_it_tells_of_its_iterations(given: Flow) -> None:
    flow = given(loop(f"values: [x, y]\n    {GIVES}"))
    outcome = flow.when_tasks(outputs={"a[x]": {"n": "4"}, "a[y]": {"n": 5}}).run()
    outcome.then.ended("SUCCESS").outputs(
        "l",
        iterationCount=2,
        terminatedIterations={"SUCCESS": 2},
        outputs=[
            {"item": {"value": "x", "iteration": 0}, "outputs": {"n": 4}},
            {"item": {"value": "y", "iteration": 1}, "outputs": {"n": 5}},
        ],
    )


def test_the_outputs_are_in_the_order_of_the_values(given: Flow) -> None:
    flow = given(loop(f"values: [x, y, z]\n    {GIVES}"))
    outcome = flow.when_tasks(
        seconds={"a[x]": 3, "a[y]": 1, "a[z]": 2},
        outputs={"a[x]": {"n": 1}, "a[y]": {"n": 2}, "a[z]": {"n": 3}},
    ).run()
    assert recorded(outcome) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_values_that_are_the_same_are_iterations_of_their_own(given: Flow) -> None:
    outcome = given(loop("values: [x, x]")).run()
    outcome.then.ended("SUCCESS")
    assert seen(outcome) == ["x", "x"]


def test_the_items_of_a_map_have_keys(given: Flow) -> None:
    flow = loop(
        "values: {dev: 1, prod: {url: there}}",
        "{id: a, type: Work, see: '{{ item.index }} {{ item.key }}={{ item.value }}'}",
    )
    outcome = given(flow).run()
    assert seen(outcome) == ["0 dev=1", '1 prod={"url":"there"}']
    entries = (outcome.task_run("l").outputs or {})["outputs"]
    assert [entry["item"]["key"] for entry in entries] == ["dev", "prod"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ('"{{ [1, 2] }}"', ["1", "2"]),
        ('\'["p", "q"]\'', ["p", "q"]),
        ("\"{{ {'k': 'v'} }}\"", ["v"]),
        ("'{{ inputs.list }}'", ["i", "j"]),
        ("[]", []),
    ],
)
def test_where_values_come_from(given: Flow, values: str, expected: list[str]) -> None:
    flow = loop(f"values: {values}") + "inputs: [{id: list, type: ARRAY, itemType: STRING}]"
    outcome = given(flow).inputs(list=["i", "j"]).run()
    outcome.then.ended("SUCCESS")
    assert seen(outcome) == expected


@pytest.mark.parametrize(
    ("values", "why"),
    [("'no list'", "must be a list or a map"), ("'{{ nothing }}'", ""), ("[1, null]", "null")],
)
def test_values_that_are_none_fail_it(given: Flow, values: str, why: str) -> None:
    given(loop(f"values: {values}")).run().then.ended("FAILED").says("task l: ", why).ran()


def test_an_iteration_sees_its_own_outputs_and_those_from_outside(given: Flow) -> None:
    flow = given("""
    tasks:
      - {id: outer, type: Work}
      - id: l
        type: Loop
        values: [x, y]
        concurrencyLimit: 1
        tasks:
          - {id: look, type: Work, see: "{{ outputs.a.n ?? 'nothing' }} {{ outputs.outer.n }}"}
          - {id: a, type: Work}
          - {id: b, type: Work, see: "{{ outputs.a.n }}"}
    """)
    outcome = flow.when_tasks(outputs={"outer": {"n": 9}, "a[x]": {"n": 1}, "a[y]": {"n": 2}}).run()
    outcome.then.ended("SUCCESS")
    assert seen(outcome, "look") == ["nothing 9", "nothing 9"]
    assert seen(outcome, "b") == ["1", "2"]


def test_nothing_else_leaves_an_iteration(given: Flow) -> None:
    flow = loop(f"values: [x]\n    {GIVES}").replace(
        "{{ outputs.l.outputs }}", "{{ outputs.a is defined }} {{ outputs.l.outputs[0].outputs.n }}"
    )
    outcome = given(flow).when_tasks(outputs={"a": {"n": 7}}).run()
    outcome.then.started_with("after", see="false 7")


def test_the_states_of_tasks_are_those_of_the_own_iteration(given: Flow) -> None:
    flow = given(
        loop(
            "values: [x, y]",
            "{id: a, type: Work, allowFailure: true}, "
            "{id: b, type: Work, see: '{{ tasks.a.state }}'}",
        )
    )
    outcome = flow.when_tasks(fail=["a[x]"]).run()
    assert seen(outcome, "b") == ["WARNING", "SUCCESS"]


def test_loops_within_loops(given: Flow) -> None:
    flow = """
    tasks:
      - id: outer
        type: Loop
        values: {p: x, q: y}
        concurrencyLimit: 1
        outputs: [{id: all, type: JSON, value: "{{ outputs.inner.outputs }}"}]
        tasks:
          - {id: first, type: Work}
          - id: inner
            type: Loop
            values: [1, 2]
            concurrencyLimit: 1
            outputs: [{id: n, type: STRING, value: "{{ outputs.a.n }}"}]
            tasks:
              - id: a
                type: Work
                see: "{{ item.parent.key }}{{ item.parent.value }}{{ item.parents[0].index }}\
 {{ item.value }} {{ outputs.first.n }}"
    """
    flow_ = given(flow).when_tasks(
        outputs={"first[x]": {"n": "fx"}, "first[y]": {"n": "fy"}}
        | {f"a[{o}][{i}]": {"n": o + i} for o in "xy" for i in "12"}
    )
    outcome = flow_.run()
    outcome.then.ended("SUCCESS")
    assert seen(outcome) == ["px0 1 fx", "px0 2 fx", "qy1 1 fy", "qy1 2 fy"]
    inner = [
        [entry["outputs"]["n"] for entry in item["all"]] for item in recorded(outcome, "outer")
    ]
    assert inner == [["x1", "x2"], ["y1", "y2"]]


def test_no_iteration_starts_once_it_is_to_break(given: Flow) -> None:
    flow = given(
        loop(
            "values: [1, 2, 3, 4]\n    concurrencyLimit: 1\n    "
            "breakWhen: \"{{ item.value == '2' and iteration.state == 'SUCCESS' }}\""
        )
    )
    flow.run().then.ended("SUCCESS").ran("a[1]", "a[2]", "after")


def test_to_break_may_depend_on_what_left_the_iteration(given: Flow) -> None:
    flow = loop(
        f"values: [1, 2, 3]\n    concurrencyLimit: 1\n    {GIVES}\n    "
        'breakWhen: "{{ iteration.outputs.n > 5 }}"'
    )
    outcome = given(flow).when_tasks(outputs={"a[1]": {"n": 5}, "a[2]": {"n": 6}, "a[3]": {"n": 0}})
    outcome.run().then.ended("SUCCESS").ran("a[1]", "a[2]", "after")


def test_what_has_begun_when_it_breaks_is_finished(given: Flow) -> None:
    flow = loop(
        "values: [1, 2, 3]\n    concurrencyLimit: 2\n    breakWhen: true",
        "{id: a, type: Work}, {id: b, type: Work}",
    )
    outcome = given(flow).when_tasks(seconds={"a[2]": 9}).run()
    outcome.then.ended("SUCCESS").ran("a[1]", "a[2]", "b[1]", "b[2]", "after")


def test_a_failed_iteration_fails_it_and_no_other_starts(given: Flow) -> None:
    flow = given(loop("values: [1, 2, 3]\n    concurrencyLimit: 1")).when_tasks(fail=["a[2]"])
    outcome = flow.run()
    outcome.then.ended("FAILED").states(l="FAILED").ran("a[1]", "a[2]").says("a [2]: ")


def test_failures_that_are_not_transmitted(given: Flow) -> None:
    flow = loop(
        f"values: [1, 2, 3]\n    concurrencyLimit: 1\n    transmitFailed: false\n    {GIVES}"
    )
    outcome = given(flow).when_tasks(fail=["a[2]"], outputs={"a": {"n": 1}}).run()
    outcome.then.ended("SUCCESS").ran("a[1]", "a[2]", "a[3]", "after")
    assert recorded(outcome) == [{"n": 1}, {}, {"n": 1}]
    states = (outcome.task_run("l").outputs or {})["terminatedIterations"]
    assert states == {"SUCCESS": 2, "FAILED": 1}


def test_errors_and_finally_run_once(given: Flow) -> None:
    flow = given(
        loop(
            "values: [1, 2]\n    errors: [{id: e, type: Work}]\n    finally: [{id: f, type: Work}]"
        )
    )
    flow.when_tasks(fail=["a[1]"]).run().then.ended("FAILED").ran("a[1]", "a[2]", "e", "f")
    flow.run().then.ended("SUCCESS").ran("a[1]", "a[2]", "f", "after")


BAD_OUTPUT = 'outputs: [{id: n, type: INT, value: "{{ outputs.nobody.x }}"}]'


def test_an_output_that_cannot_be_had_fails_the_loop(given: Flow) -> None:
    """The iteration failed, and errors and finally run as after any failure."""
    flow = given(
        loop(f"values: [1]\n    {BAD_OUTPUT}\n    errors: [{{id: e, type: Work}}]")
        + "finally: [{id: f, type: Work}]"
    )
    outcome = flow.run()
    outcome.then.ended("FAILED").states(l="FAILED").ran("a[1]", "e", "f").says("task l: ")


def test_an_output_that_cannot_be_had_need_not_fail_the_loop(given: Flow) -> None:
    outcome = given(loop(f"values: [1, 2]\n    transmitFailed: false\n    {BAD_OUTPUT}")).run()
    outcome.then.ended("SUCCESS")
    states = (outcome.task_run("l").outputs or {})["terminatedIterations"]
    assert states == {"FAILED": 2}


def test_a_flow_gives_what_left_a_loop(given: Flow) -> None:
    flow = (
        loop(f"values: [x]\n    {GIVES}")
        + """
outputs: [{id: all, type: JSON, value: "{{ outputs.l.outputs[0].outputs }}"}]
"""
    )
    given(flow).when_tasks(outputs={"a": {"n": 1}}).run().then.gave(all={"n": 1})


def test_flowables_in_an_iteration(given: Flow) -> None:
    outcome = given("""
    tasks:
      - id: l
        type: Loop
        values: [x, y]
        outputs: [{id: n, type: JSON, value: "{{ outputs.a }}"}]
        tasks:
          - id: each
            type: ForEach
            values: [1, 2]
            tasks: [{id: a, type: Work}]
    """).when_tasks(outputs={"a[x][1]": {"n": "x1"}, "a[y][2]": {"n": "y2"}})
    assert recorded(outcome.run()) == [{"n": {"1": {"n": "x1"}}}, {"n": {"2": {"n": "y2"}}}]


def test_a_limit_of_values(given: Flow) -> None:
    flow = given(loop("values: [1, 2, 3]")).limits(loop_values=2)
    flow.run().then.ended("FAILED").says("the loop has 3 values; the limit is 2")


@pytest.mark.parametrize("values", ["[]", "[1, 2]"])
def test_handlers_stand_in_no_iteration(given: Flow, values: str) -> None:
    flow = loop(
        f"values: {values}\n    {GIVES}\n    "
        "finally: [{id: f, type: Work, see: '{{ item is defined }}'}]"
    )
    outcome = given(flow).when_tasks(outputs={"a": {"n": 1}}).run()
    outcome.then.ended("SUCCESS").started_with("f", see="false")
    assert recorded(outcome) == [{"n": 1}] * len(values.strip("[]").split(",")) * (values != "[]")


def test_a_handler_is_no_iteration_of_its_own(given: Flow) -> None:
    flow = loop("values: [1, 2]\n    concurrencyLimit: 1\n    errors: [{id: e, type: Work}]")
    flow = flow.replace("values: [1, 2]", "values: \"{{ ['x'] }}\"")
    outcome = given(flow).when_tasks(fail=["a"]).run()
    assert (outcome.task_run("l").outputs or {})["terminatedIterations"] == {"FAILED": 1}
