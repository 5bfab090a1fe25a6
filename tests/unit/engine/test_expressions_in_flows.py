"""What a task's expressions see, and what the flow hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from penstock.resources.execution import ReplayReference, TriggerReference
from tests.fixtures.engine import Given

Flow = Callable[[str], Given]


def seen(given: Flow, expression: str, head: str = "") -> Given:
    return given(f"{head}\ntasks: [{{id: a, type: Work, see: '{{{{ {expression} }}}}'}}]")


HEAD = """
labels: {team: data, env: prod}
variables: {greeting: "hi {{ inputs.who }}"}
inputs:
  - {id: who, type: STRING, defaults: me}
  - {id: nested.more.int, type: INT, defaults: 3}
"""


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("flow.id", "flow"),
        ("flow.namespace", "company.team"),
        ("flow.revision", "3"),
        ("execution.id", "run-1"),
        ("execution.originalId", "run-1"),
        ("execution.startDate", "2025-03-01T12:00:00.000Z"),
        ("inputs.who", "me"),
        ("inputs.nested.more.int + 1", "4"),
        ("vars.greeting", "hi {{ inputs.who }}"),
        ("render(vars.greeting)", "hi me"),
        ("labels.team", "data"),
        ("labels.system.correlationId", "run-1"),
        ("task.id", "a"),
        ("taskrun.attemptsCount", "0"),
        ("taskrun.startDate", "2025-03-01T12:00:00.000Z"),
        ("now()", "2025-03-01T12:00:00.000000Z"),
        ("outputs.nobody ?? 1", "1"),
        ("trigger.date ?? 2", "2"),
    ],
)
def test_variables(given: Flow, expression: str, text: str) -> None:
    outcome = seen(given, expression.replace("'", '"'), HEAD).run()
    outcome.then.ended("SUCCESS").started_with("a", see=text)


def test_labels_of_the_execution_win_over_those_of_the_flow(given: Flow) -> None:
    outcome = seen(given, "labels.env", HEAD).labels(env="test").run()
    outcome.then.started_with("a", see="test")
    assert outcome.status.labels == {
        "team": "data", "env": "test", "system.correlationId": "run-1"
    }  # fmt: skip


def test_a_trigger_hands_its_variables_over(given: Flow) -> None:
    schedule = "io.kestra.plugin.core.trigger.Schedule"
    flow = given('tasks: [{id: a, type: Work, see: "{{ trigger.date }} {{ schedule.date }}"}]')
    outcome = flow.trigger(schedule, date="2025-01-01").run()
    outcome.then.started_with("a", see="2025-01-01 2025-01-01")
    assert outcome.status.trigger == "by-it"


def test_the_states_of_the_tasks_so_far(given: Flow) -> None:
    outcome = given("""
    tasks:
      - {id: a, type: Work}
      - {id: loop, type: ForEach, values: [x], tasks: [{id: b, type: Work}]}
      - {id: c, type: Work, see: "{{ tasks.a.state }} {{ tasks.b.x.state }}"}
    """).run()
    outcome.then.started_with("c", see="SUCCESS SUCCESS")


def test_parents_are_listed_nearest_first(given: Flow) -> None:
    outcome = given("""
    tasks:
      - id: outer
        type: ForEach
        values: [x]
        tasks:
          - id: if_
            type: If
            condition: "true"
            then:
              - id: inner
                type: ForEach
                values: [y]
                tasks:
                  - id: a
                    type: Work
                    see: "{{ parent.outputs.evaluationResult }} {{ parents[0].taskrun.value }}"
                    index: "{{ taskrun.iteration }}"
    """).run()
    outcome.then.ended("SUCCESS")
    outcome.then.started_with("a[x][y]", see="true x", index="0")


OUTPUTS = """
tasks: [{{id: a, type: Work}}]
outputs:
  - {{id: out, type: {type}, value: {value}}}
"""


@pytest.mark.parametrize(
    ("kind", "value", "typed"),
    [
        ("STRING", '"{{ outputs.a.text }}"', "word"),
        ("STRING", '"{{ outputs.a.map }}"', '{"k":[1]}'),
        ("STRING", '"{{ outputs.a.list }} of {{ outputs.a.map }}"', '[1,2] of {"k":[1]}'),
        ("STRING", '"{{ null }}"', ""),
        ("STRING", '"{{ 7 }}"', "7"),
        ("INT", '"{{ outputs.a.number }}"', 7),
        ("INT", '"{{ outputs.a.number }}1"', 71),
        ("FLOAT", '"{{ outputs.a.number }}"', 7.0),
        ("BOOL", '"{{ outputs.a.number > 3 }}"', True),
        ("JSON", '"{{ outputs.a.map }}"', {"k": [1]}),
        ("JSON", "'{\"rows\": {{ outputs.a.list }}}'", {"rows": [1, 2]}),
        ("ARRAY", '"{{ outputs.a.list }}"', [1, 2]),
        ("ARRAY", '"{{ outputs.a.texts }}"', ["x y", "3"]),
        ("ARRAY", '[plain, "{{ outputs.a.text }}", 3, {k: v}]', ["plain", "word", 3, {"k": "v"}]),
        ("ARRAY", "'[\"a\", 1, null]'", ["a", 1, None]),
        ("MULTISELECT", "[plain, 3]", ["plain", 3]),
        ("STRING", "plain", "plain"),
        ("STRING", "''", ""),
        ("INT", "'', required: false", None),
        ("JSON", '{k: "{{ outputs.a.text }}"}', {"k": "word"}),
    ],
)
def test_outputs_of_the_flow_are_typed(given: Flow, kind: str, value: str, typed: object) -> None:
    outputs = {"text": "word", "number": 7, "map": {"k": [1]}, "list": [1, 2]}
    outputs["texts"] = ["x y", "3"]
    flow = given(OUTPUTS.format(type=kind, value=value)).when_tasks(outputs={"a": outputs})
    flow.run().then.ended("SUCCESS").gave(out=typed)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("INT", "abc", "expected `INT`"),
        ("STRING", '"{{ outputs.b.x }}"', "outputs.b.x"),
        ("STRING", "null", "the flow's output `out` has no value"),
        ("DATE", "''", "the flow's output `out` has no value"),
        ("ARRAY", "plain", "expected a JSON array"),
    ],
)
def test_an_output_that_cannot_be_had_fails_the_execution(
    given: Flow, kind: str, value: str, message: str
) -> None:
    outcome = given(OUTPUTS.format(type=kind, value=value)).run()
    outcome.then.ended("FAILED").says("the flow's outputs can't be had", message)
    assert outcome.status.outputs is None


def test_an_output_that_is_not_required_may_ask_for_what_there_is_not(given: Flow) -> None:
    flow = given("""
    tasks: [{id: a, type: Work, runIf: "{{ false }}"}]
    outputs:
      - {id: rows, type: INT, required: false, value: "{{ outputs.a.rows }}"}
      - {id: text, type: STRING, required: false, value: "{{ outputs.a.text }}"}
      - {id: day, type: STRING, value: monday}
    """)
    flow.run().then.ended("SUCCESS").gave(rows=None, text=None, day="monday")


def test_a_failed_flow_hands_back_what_there_is(given: Flow) -> None:
    flow = given(OUTPUTS.format(type="STRING", value='"{{ outputs.a.text ?? 1 }}"'))
    flow.when_tasks(fail=["a"]).run().then.ended("FAILED").gave(out="1").says("a is broken")


def test_a_killed_flow_hands_nothing_back(given: Flow) -> None:
    from penstock.resources.execution import State

    flow = given(OUTPUTS.format(type="STRING", value="x"))
    outcome = flow.when_tasks(states={"a": State.KILLED}).run()
    assert outcome.status.outputs is None


def test_wrong_inputs_refuse_the_execution(given: Flow) -> None:
    flow = given("""
    inputs: [{id: n, type: INT}, {id: must, type: STRING}]
    tasks: [{id: a, type: Work}]
    """)
    outcome = flow.inputs(n="abc").run()
    outcome.then.ended("FAILED").ran().reported("InvalidInputs")
    outcome.then.says("Invalid input for `n`", "Invalid input for `must`, missing required input")


def test_an_execution_whose_trigger_failed_ends_before_anything_runs(given: Flow) -> None:
    # given what a trigger makes that can't tell its condition
    flow = given("""
    inputs: [{id: must, type: STRING}]
    tasks: [{id: a, type: Work}]
    errors: [{id: b, type: Work}]
    """)
    trigger = TriggerReference(id="t", type="com.company.Trigger", failure="it can't be told")
    failing = replace(flow, spec=flow.spec.model_copy(update={"trigger": trigger}))
    # when, then
    outcome = failing.run()
    outcome.then.ended("FAILED").ran().reported("TriggerFailed").says("it can't be told")
    # and a replay of it asks for the flow's own inputs
    replay = failing.spec.model_copy(update={"replay": ReplayReference(execution="run-0")})
    replace(failing, spec=replay).run().then.reported("InvalidInputs")


def test_an_execution_has_at_most_so_many_task_runs(given: Flow) -> None:
    outcome = (
        given("""
        tasks:
          - id: p
            type: Parallel
            tasks: [{id: a, type: Work}, {id: b, type: Work}, {id: c, type: Work}]
        """)
        .limits(task_runs=3)
        .run()
    )
    outcome.then.ended("FAILED").ran().says("more than 3 task runs").states(a="CANCELLED")


def test_at_the_limit_what_runs_is_stopped(given: Flow) -> None:
    outcome = (
        given("""
        tasks:
          - id: p
            type: Parallel
            tasks:
              - {id: slow, type: Work}
              - id: s
                type: Sequential
                tasks: [{id: a, type: Work}, {id: b, type: Work}]
        """)
        .limits(task_runs=4)
        .when_tasks(seconds={"slow": 60})
        .run()
    )
    outcome.then.ended("FAILED").ran("slow", "a").states(slow="CANCELLED", a="SUCCESS").took(1)
    assert outcome.world.stopped == [(outcome.task_run("slow").id, 1)]


def test_the_engine_leaves_what_it_is_given_as_it_was(given: Flow) -> None:
    """Dotted inputs are nested for expressions, not in the status."""
    outcome = given("""
    inputs:
      - {id: a, type: JSON, defaults: '{"x": 1}'}
      - {id: a.b, type: INT, defaults: 2}
    tasks: [{id: t, type: Work, see: "{{ inputs.a.b }}{{ inputs.a.x }}"}]
    """).run()
    outcome.then.ended("SUCCESS").started_with("t", see="21")
    assert outcome.status.inputs == {"a": {"x": 1}, "a.b": 2}


def test_a_property_is_rendered_as_the_type_of_the_task_wants_it(given: Flow) -> None:
    outcome = given("""
    variables: {number: 3}
    tasks:
      - id: set
        type: io.kestra.plugin.core.kv.Set
        key: "key-{{ vars.number }}"
        value: "{{ vars.number }}"
      - id: filter
        type: io.kestra.plugin.core.storage.FilterItems
        from: "kestra:///{{ vars.number }}"
        filterCondition: "{{ item > 3 }}"
    """).run()
    outcome.then.started_with("set", key="key-3", value=3)
    outcome.then.started_with("filter", **{"from": "kestra:///3"}, filterCondition="{{ item > 3 }}")


def test_an_execution_that_failed_says_so_where_its_outputs_are_missing_too(given: Flow) -> None:
    outcome = given("""
    tasks: [{id: a, type: Work}, {id: b, type: Work}]
    outputs: [{id: it, type: STRING, value: "{{ outputs.b.value }}"}]
    """).when_tasks(fail=["a"])
    outcome.run().then.ended("FAILED").says("task a: a is broken")


def test_the_outputs_of_outer_iterations_may_be_missing(given: Flow) -> None:
    """The task `measure` is skipped in the iteration `b`: an expression that reads it there gets
    null."""
    loops = given(
        """
        tasks:
          - id: cities
            type: ForEach
            values: [a, b]
            tasks:
              - id: days
                type: ForEach
                values: [mon]
                tasks:
                  - id: measure
                    type: Work
                    runIf: "{{ parent.taskrun.value == 'a' }}"
                  - id: each
                    type: Work
                    see: "{{ currentEachOutput(outputs.measure).value ?? 'none' }}"
                  - id: default
                    type: Work
                    see: "{{ currentEachOutput(outputs.measure).value | default('none') }}"
                  - id: path
                    type: Work
                    see: >-
                      {{ outputs.measure[parent.taskrun.value][taskrun.value].value ?? 'none' }}
                  - id: defined
                    type: Work
                    see: "{{ currentEachOutput(outputs.measure) is defined }}"
        """
    )
    outcome = loops.when_tasks(outputs={"measure[a][mon]": {"value": "4"}}).run()

    then = outcome.then.ended("SUCCESS").states(**{"measure[b][mon]": "SKIPPED"})
    for task in ("each", "default", "path"):
        then.started_with(f"{task}[a][mon]", see="4").started_with(f"{task}[b][mon]", see="none")
    then.started_with("defined[a][mon]", see="true")
    then.started_with("defined[b][mon]", see="false")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("env('stage')", "prod"),
        ("env('stage') == envs.stage", "true"),
        ("env('region', 'eu')", "eu"),
        ("env('blank', default='filled')", "filled"),
        ("env('region') ?? 'none'", "none"),
        ("env('HOME') ?? 'never seen'", "never seen"),
    ],
)
def test_the_environment_is_what_an_administrator_chose(
    given: Flow, expression: str, text: str
) -> None:
    asking = seen(given, expression.replace("'", '"'))
    outcome = asking.environment(stage="prod", blank="").run()
    outcome.then.ended("SUCCESS").started_with("a", see=text)


def test_methods_stand_wherever_an_expression_does(given: Flow) -> None:
    flow = """
        inputs:
          - {id: path, type: STRING, defaults: in/2026/report.csv}
          - {id: tags, type: ARRAY, itemType: STRING, defaults: [new, large]}
        variables: {limits: {size: 3}}
        tasks:
          - id: kind
            type: Switch
            value: "{{ inputs.path.substring(inputs.path.lastIndexOf('.') + 1).toUpperCase() }}"
            cases:
              CSV:
                - {id: csv, type: Work, see: "{{ inputs.path.split('/').getLast() }}"}
          - id: each
            type: ForEach
            values: "{{ inputs.path.split('/').subList(0, 2) }}"
            tasks:
              - {id: part, type: Work, runIf: "{{ taskrun.value.matches('[0-9]+') }}"}
          - id: large
            type: Work
            runIf: "{{ inputs.tags.contains('large') and inputs.tags.size() < vars.limits.size }}"
            see: "{{ vars.limits.size() }} {{ vars.limits.size }} {{ inputs.containsKey('tags') }}"
          - {id: old, type: Work, runIf: "{{ inputs.tags.isEmpty() }}"}
          - {id: day, type: Work, see: "{{ trigger.date.getYear() }} {{ trigger.date.dayOfWeek }}"}
        """
    outcome = given(flow).trigger("Schedule", date="2026-01-15T06:00:00+01:00").run()

    outcome.then.ended("SUCCESS").started_with("csv", see="report.csv")
    outcome.then.states(**{"part[in]": "SKIPPED", "part[2026]": "SUCCESS", "old": "SKIPPED"})
    outcome.then.started_with("large", see="1 3 true").started_with("day", see="2026 THURSDAY")


def test_a_method_that_fails_fails_its_task_and_says_why(given: Flow) -> None:
    outcome = seen(given, "inputs.who.substring(9)", HEAD).run()
    outcome.then.ended("FAILED").says("the part from 9 to 2 is outside of a text of the length 2")


def test_a_method_that_changes_a_value_is_refused(given: Flow) -> None:
    outcome = seen(given, "vars.put(1, 2)", HEAD).run()
    outcome.then.ended("FAILED").says("an expression changes no value; use `x | merge(")
