"""If and Switch: one of several branches."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given

Flow = Callable[[str], Given]

IF = """
inputs: [{id: flag, type: JSON, required: false}]
tasks:
  - id: choice
    type: If
    condition: "{{ inputs.flag }}"
    then: [{id: yes_, type: Work}]
    else: [{id: no_, type: Work}]
"""


@pytest.mark.parametrize(
    ("flag", "branch"),
    [
        (True, "yes_"), ("x", "yes_"), (1, "yes_"), ("true", "yes_"), ([1], "yes_"),
        (False, "no_"), ("false", "no_"), ("0", "no_"), (0, "no_"), ("-0", "no_"), ("", "no_"),
        (None, "no_"),
    ],
)  # fmt: skip
def test_a_condition_holds_by_what_it_renders_to(given: Flow, flag: object, branch: str) -> None:
    import json

    outcome = given(IF).inputs(flag=json.dumps(flag)).run()
    outcome.then.ended("SUCCESS").ran(branch)


def test_if_without_else_does_nothing_where_the_condition_does_not_hold(given: Flow) -> None:
    outcome = given("""
    tasks:
      - {id: choice, type: If, condition: "{{ false }}", then: [{id: a, type: Work}]}
      - {id: b, type: Work}
    """).run()
    outcome.then.ended("SUCCESS").ran("b").states(choice="SUCCESS")


def test_a_condition_that_cannot_be_rendered_fails_the_task(given: Flow) -> None:
    outcome = given("""
    tasks: [{id: choice, type: If, condition: "{{ inputs.nothing }}", then: [{id: a, type: Work}]}]
    """).run()
    outcome.then.ended("FAILED").ran().says("task choice", "nothing")


def test_the_decision_is_made_once(given: Flow) -> None:
    """A branch does not change because outputs have changed since."""
    outcome = (
        given("""
        tasks:
          - id: choice
            type: If
            condition: "{{ (outputs.a ?? null) is null }}"
            then: [{id: a, type: Work}, {id: b, type: Work}]
            else: [{id: never, type: Work}]
        """)
        .when_tasks(outputs={"a": {"x": 1}})
        .run()
    )
    outcome.then.ended("SUCCESS").ran("a", "b")
    assert outcome.task_run("choice").outputs == {"evaluationResult": True}


SWITCH = """
inputs: [{{id: v, type: JSON}}]
tasks:
  - id: switch
    type: Switch
    value: "{{{{ inputs.v }}}}"
    cases:
      true: [{{id: when_true, type: Work}}]
      on: [{{id: when_on, type: Work}}]
      3: [{{id: when_three, type: Work}}]
      two words: [{{id: words, type: Work}}]
    {defaults}
"""


@pytest.mark.parametrize(
    ("value", "ran"),
    [("true", "when_true"), ('"on"', "when_on"), ("3", "when_three"), ('"two words"', "words")],
)
def test_cases_are_compared_as_text(given: Flow, value: str, ran: str) -> None:
    given(SWITCH.format(defaults="")).inputs(v=value).run().then.ended("SUCCESS").ran(ran)


def test_no_case_takes_the_defaults(given: Flow) -> None:
    flow = SWITCH.format(defaults="defaults: [{id: other, type: Work}]")
    outcome = given(flow).inputs(v='"?"').run()
    outcome.then.ended("SUCCESS").ran("other")
    assert outcome.task_run("switch").outputs == {"value": "?", "defaults": True}


def test_no_case_and_no_defaults_fails(given: Flow) -> None:
    outcome = given(SWITCH.format(defaults="")).inputs(v='"?"').run()
    outcome.then.ended("FAILED").ran().says("no case for `?`", "cases: true, on, 3, two words")
