"""ForEach: the same tasks for each value."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given

Flow = Callable[[str], Given]


def loop(values: str, more: str = "") -> str:
    return f"""
tasks:
  - id: loop
    type: ForEach
    values: {values}
    {more}
    tasks:
      - {{id: a, type: Work}}
      - {{id: b, type: Work}}
"""


def test_by_default_one_value_after_the_other(given: Flow) -> None:
    outcome = given(loop("[x, y]")).run()
    outcome.then.ended("SUCCESS").ran("a[x]", "b[x]", "a[y]", "b[y]").at_most_at_once(1)


def test_several_values_at_once_each_in_order(given: Flow) -> None:
    flow = loop("[x, y, z]", "concurrencyLimit: 2")
    outcome = given(flow).when_tasks(seconds={"a[x]": 9}).run()
    outcome.then.ended("SUCCESS").at_most_at_once(2)
    outcome.then.ran("a[x]", "a[y]", "b[y]", "a[z]", "b[z]", "b[x]")


def test_zero_means_all_at_once(given: Flow) -> None:
    outcome = given(loop("[1, 2, 3, 4, 5]", "concurrencyLimit: 0")).run()
    outcome.then.ended("SUCCESS").at_most_at_once(5).took(2)


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ("[1, 1.5, x]", ["1", "1.5", "x"]),
        ("[true, 'true']", ["true"]),
        ("[x, y, x]", ["x", "y"]),
        ("'[\"x\", {\"k\": 1}]'", ["x", '{"k":1}']),
        ("[{k: \"{{ inputs.who }}\"}]", ['{"k":"me"}']),
        ("[\"{{ inputs.who }}\", you]", ["me", "you"]),
        ("\"{{ inputs.list }}\"", ["1", "é"]),
        ("[]", []),
        ("\"[]\"", []),
    ],
)  # fmt: skip
def test_values_are_distinct_texts(given: Flow, values: str, seen: list[str]) -> None:
    inputs = """
inputs:
  - {id: who, type: STRING, defaults: me}
  - {id: list, type: JSON, defaults: '[1, "é"]'}
"""
    outcome = given(inputs + loop(values)).run()
    outcome.then.ended("SUCCESS").ran(*[f"{task}[{value}]" for value in seen for task in "ab"])
    assert outcome.task_run("loop").values == seen


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("[x, null]", "Found a null value"),
        ("some text", "must be a list or a JSON array"),
        ("\"{{ 3 }}\"", "must be a list, but rendered to int"),
        ("\"{{ nothing }}\"", "nothing"),
        ("'" + "[" * 5000 + "'", "must be a list or a JSON array"),
        ("'[NaN]'", "must be a list or a JSON array"),
    ],
)  # fmt: skip
def test_what_is_no_list_fails_the_loop(given: Flow, values: str, message: str) -> None:
    given(loop(values)).run().then.ended("FAILED").ran().says("task loop", message)


def test_what_an_expression_gave_is_not_rendered_again(given: Flow) -> None:
    """A second rendering would let whoever writes a task's output read what the flow can read."""
    text = "{{ '{{' }} vars.secret {{ '}}' }}"
    outcome = given(f"""
    variables: {{secret: hidden}}
    inputs: [{{id: list, type: JSON, defaults: "{{{{ ['{{' ~ '{{ vars.secret }}' ~ '}}'] }}}}"}}]
    tasks:
      - {{id: loop, type: ForEach, values: "{{{{ inputs.list }}}}", tasks: [{{id: a, type: Work}}]}}
    # {text}
    """).run()
    outcome.then.ended("SUCCESS").ran("a[{{ vars.secret }}]")


def test_a_failed_value_stops_the_loop_and_running_values_are_awaited(given: Flow) -> None:
    flow = loop("[x, y, z]", "concurrencyLimit: 2")
    outcome = given(flow).when_tasks(fail=["a[x]"], seconds={"a[y]": 5}).run()
    outcome.then.ended("FAILED").ran("a[x]", "a[y]").took(5).says("task a [x]: a[x] is broken")


def test_allow_failure_lets_the_other_values_go_on(given: Flow) -> None:
    outcome = (
        given("""
        tasks:
          - id: loop
            type: ForEach
            values: [x, y]
            tasks: [{id: a, type: Work, allowFailure: true}, {id: b, type: Work}]
        """)
        .when_tasks(fail=["a[x]"])
        .run()
    )
    outcome.then.ended("WARNING").ran("a[x]", "b[x]", "a[y]", "b[y]")


def test_loops_in_loops(given: Flow) -> None:
    outcome = (
        given("""
        tasks:
          - id: outer
            type: ForEach
            values: [x, y]
            tasks:
              - id: inner
                type: ForEach
                values: [1, 2]
                tasks:
                  - id: a
                    type: Work
                    at: "{{ parent.taskrun.value }}/{{ taskrun.value }}"
                    first: "{{ outputs.a.x['1'].n ?? 'none' }}"
          - {id: after, type: Work, all: "{{ outputs.a }}"}
        """)
        .when_tasks(outputs={"a": {"n": 7}})
        .run()
    )
    outcome.then.ended("SUCCESS").ran("a[x][1]", "a[x][2]", "a[y][1]", "a[y][2]", "after")
    outcome.then.started_with("a[x][1]", at="x/1", first="none")
    outcome.then.started_with("a[y][2]", at="y/2", first="7")
    assert outcome.start("after").properties["all"] == (
        '{"x":{"1":{"n":7},"2":{"n":7}},"y":{"1":{"n":7},"2":{"n":7}}}'
    )


def test_a_loop_has_at_most_so_many_values(given: Flow) -> None:
    outcome = given(loop("[1, 2, 3]")).limits(loop_values=2).run()
    outcome.then.ended("FAILED").says("the loop has 3 values; the limit is 2")
