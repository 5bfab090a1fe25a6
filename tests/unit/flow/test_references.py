"""Names in expressions that the flow does not have, and names with dashes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import pytest

from penstock.flow.loading import SourceDocument, load_document
from penstock.flow.problems import InvalidFlow
from penstock.types import flow_parser

FLOW = """
id: orders
namespace: shop
inputs:
  - {id: city, type: STRING, defaults: Oslo}
  - {id: start-date, type: DATE, required: false}
  - {id: db.user-name, type: STRING, required: false}
  - {id: a, type: INT, defaults: 3}
  - {id: b, type: INT, defaults: 2}
variables:
  count: 4
  max-rows: 10
  table: {full-name: shop.orders}
labels: {cost-center: x}
tasks:
  - {id: load, type: io.kestra.plugin.core.debug.Return, format: rows}
  - {id: load-2, type: io.kestra.plugin.core.debug.Return, format: rows}
  - {id: day-01, type: io.kestra.plugin.core.debug.Return, format: rows}
  - {id: clean-up-all, type: io.kestra.plugin.core.debug.Return, format: rows}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [1]
    tasks:
      - {id: inner, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
  - id: batches
    type: io.kestra.plugin.core.flow.ForEachItem
    items: "{{ outputs.load.value }}"
    namespace: shop
    flowId: child
  - id: say
    type: io.kestra.plugin.core.log.Log
    message: >-
      EXPRESSION
"""


def told(text: str) -> list[str]:
    """The warnings of a flow about names in its expressions."""
    try:
        warnings = flow_parser().parse(load_document(textwrap.dedent(text))).warnings
    except InvalidFlow as refused:
        warnings = refused.warnings
    return [str(item) for item in warnings if item.code == "unknown_reference"]


def told_of(expression: str) -> list[str]:
    return told(FLOW.replace("EXPRESSION", expression))


@pytest.mark.parametrize(
    ("expression", "written", "meant"),
    [
        ("{{ outputs.load-2.value }}", "outputs.load-2.value", "outputs['load-2'].value"),
        ("{{ outputs.day-01.value }}", "outputs.day-01.value", "outputs['day-01'].value"),
        ("{{ inputs.start-date }}", "inputs.start-date", "inputs['start-date']"),
        ("{{ inputs.db.user-name }}", "inputs.db.user-name", "inputs.db['user-name']"),
        ("{{ vars.max-rows + 1 }}", "vars.max-rows", "vars['max-rows']"),
        ("{{ vars.table.full-name }}", "vars.table.full-name", "vars.table['full-name']"),
        ("{{ labels.cost-center }}", "labels.cost-center", "labels['cost-center']"),
        ("{{ tasks.clean-up-all.state }}", "tasks.clean-up-all.state", "tasks['clean-up-all']"),
        ("{{ outputs.clean-up-all.value }}", "outputs.clean-up-all.value", "['clean-up-all']"),
        ("{{ 'x' ~ outputs.clean-up-all.value ~ 'y' }}", "outputs.clean-up-all.value", "['clean"),
        ("{{ outputs.load-2.value | upper }}", "outputs.load-2.value", "outputs['load-2'].value"),
        ("{{ outputs.load-2.value ?? 'none' }}", "outputs.load-2", "outputs['load-2'].value"),
        ("{{ (inputs.start-date | date('yyyy')) ~ 'y' }}", "inputs.start-date", "['start-date']"),
        ("{% if inputs.start-date %}x{% endif %}", "inputs.start-date", "inputs['start-date']"),
        ("{{ trigger.body.row-total - inputs.a }}", "trigger.body.row-total`", "['row-total']"),
        ("{{ vars.max-rows - inputs.a }}", "vars.max-rows`", "vars['max-rows']"),
        ("{{ trigger.body.user-name }}", "trigger.body.user-name", "trigger.body['user-name']"),
        ("{{ outputs.load.vars.row-id }}", "outputs.load.vars.row-id", "outputs.load.vars['row-id"),
        ("{{ taskrun.value.row-id }}", "taskrun.value.row-id", "taskrun.value['row-id']"),
        ("{% for row in vars.rows ?? [] %}{{ row.user-id }}{% endfor %}", "row.user-id", "row['us"),
        ("{{ outputs.clean-upp-all }}", "outputs.clean-upp-all", "did you mean `clean-up-all`?"),
    ],
)
def test_a_name_with_a_dash_is_told_from_a_subtraction(
    expression: str, written: str, meant: str
) -> None:
    (found,) = told_of(expression)
    assert found.startswith("tasks[6].message: `" + written)
    assert meant in found
    assert found.endswith("(task `say`)")


@pytest.mark.parametrize(
    "expression",
    [
        "{{ inputs.a-inputs.b }}",
        "{{ inputs.a - inputs.b - 1 }}",
        "{{ vars.count-1 }}",
        "{{ vars.count - vars['max-rows'] }}",
        "{{ outputs.load.value-1 }}",
        "{{ outputs['load-2'].value }}",
        "{{ 10 - inputs.a }}",
        "{{ (inputs.a + 1)-inputs.b }}",
        "{{ taskrun.startDate | timestamp - 3 }}",
        "{% set step = 2 %}{{ inputs.a-step }}",
        "{% for step in [1] %}{{ inputs.a-step }}{% endfor %}",
        "{% macro less(step) %}{{ inputs.a-step }}{% endmacro %}{{ less(1) }}",
        "{{ 'inputs.start-date' }}",
        "inputs.start-date",
    ],
)
def test_a_subtraction_that_is_meant_is_not_spoken_of(expression: str) -> None:
    assert told_of(expression) == []


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("{{ inputs.cty }}", "no input `cty` for `inputs.cty`; did you mean `city`?"),
        ("{{ inputs['ctty'] | upper }}", "did you mean `city`?"),
        ("{{ inputs.nothing }}", "where it may be missing write `inputs.nothing ?? …`"),
        ("{{ vars.cuont }}", "no variable `cuont` for `vars.cuont`; did you mean `count`?"),
        ("{{ vars.city }}", "no variable `city` for `vars.city`; did you mean `inputs.city`?"),
        ("{{ outputs.city }}", "no task `city` for `outputs.city`; did you mean `inputs.city`?"),
        ("{{ tasks.laod.state }}", "no task `laod` for `tasks.laod`; did you mean `load`?"),
        ("{{ outputs.laod.value }}", "did you mean `load`?"),
        ("{{ outputs['load-3'].value }}", "did you mean `load-2`?"),
        ("{{ outputs.innner[taskrun.value].value }}", "did you mean `inner`?"),
        ("{{ outputs.inner[inputs.cty].value }}", "no input `cty`"),
        ("{{ currentEachOutput(outputs.innner).value }}", "did you mean `inner`?"),
        ("{{ kv('k' ~ inputs.cty) }}", "no input `cty`"),
        ("{% for x in outputs.laod.values %}{{ x }}{% endfor %}", "did you mean `load`?"),
        ("{% macro m(p) %}{{ inputs.cty }}{% endmacro %}{{ m(1) }}", "no input `cty`"),
    ],
)
def test_a_name_that_the_flow_does_not_have_is_told(expression: str, words: str) -> None:
    (found,) = told_of(expression)
    assert words in found


def test_all_wrong_names_of_a_text_are_told() -> None:
    (found,) = told_of("{{ inputs.x1 }} {{ inputs.x1 }} {{ outputs.x2 }} {{ inputs.start-date }}")
    assert found.count("no input `x1`") == 1
    assert "no task `x2`" in found
    assert "inputs['start-date']" in found


@pytest.mark.parametrize(
    "expression",
    [
        "{{ inputs.nothing ?? 'x' }}",
        "{{ inputs.nothing.deep ?? inputs.none ?? 'x' }}",
        "{{ outputs.nothing.value | default('x') }}",
        "{{ (outputs.nothing.value | upper) | default('x') }}",
        "{% if vars.nothing is defined %}{{ vars.nothing }}{% endif %}",
        "{{ vars.nothing is not defined ? 1 : vars.nothing }}",
        "{{ inputs[vars.count] }}",
        "{{ outputs[taskrun.value].value }}",
        "{{ outputs.each.x }} {{ outputs.batches_merge.subflowOutputs }}",
        "{{ parent.outputs.anything }} {{ trigger.x.y }} {{ labels.team }} {{ execution.id }}",
        "{{ inputs }} {{ outputs | toJson }} {{ vars | keys }}",
        "{{ inputs.size() }} {{ inputs.containsKey('x') }} {{ vars.get('x') }}",
        "{{ somewhere.else }}",
        "{{ inputs.",
        "{% set inputs = {'x': 1} %}{{ inputs.x }}",
    ],
)
def test_what_may_be_there_is_not_spoken_of(expression: str) -> None:
    assert told_of(expression) == []


def test_a_name_that_is_asked_for_anywhere_may_be_missing() -> None:
    assert told("""
        id: asked
        namespace: shop
        tasks:
          - id: only
            type: io.kestra.plugin.core.log.Log
            runIf: "{{ inputs.region is defined }}"
            message: "{{ inputs.region }}"
    """) == []  # fmt: skip


def test_every_place_that_is_rendered_in_the_flow_is_looked_at() -> None:
    # given
    flow = """
        id: places
        namespace: shop
        inputs:
          - {id: day, type: STRING, defaults: "{{ vars.n1 }}"}
        pluginDefaults:
          - {type: io.kestra.plugin.core.log, values: {message: "{{ inputs.n2 }}"}}
          - {type: io.kestra.plugin.core.trigger, values: {inputs: {x: "{{ inputs.other }}"}}}
        tasks:
          - id: loop
            type: io.kestra.plugin.core.flow.ForEach
            values: "{{ inputs.n3 }}"
            tasks:
              - id: call
                type: io.kestra.plugin.core.flow.Subflow
                namespace: shop
                flowId: child
                inputs: {id: "{{ inputs.n4 }}"}
                labels: {who: "{{ inputs.n5 }}"}
                outputs: {given: "{{ outputs.of_the_child.value }}"}
          - id: off
            type: io.kestra.plugin.core.log.Log
            message: "{{ inputs.off }}"
            disabled: true
          - {id: later, type: io.kestra.plugin.jdbc.mysql.Query, sql: "{{ inputs.n6 }}"}
          - id: rows
            type: io.kestra.plugin.core.storage.FilterItems
            from: "{{ outputs.n7.uri }}"
            filterCondition: "{{ inputs.of_a_row }}"
          - id: ask
            type: io.kestra.plugin.core.flow.Pause
            onResume:
              - {id: why, type: STRING}
              - {id: how, type: STRING, defaults: "{{ inputs.why }}"}
        errors:
          - {id: bad, type: io.kestra.plugin.core.log.Log, message: "{{ inputs.n8 }}"}
        finally:
          - {id: end, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.bad ~ vars.n9 }}"}
        outputs:
          - {id: out, type: STRING, value: "{{ outputs.n10.value }}"}
        checks:
          - {condition: "{{ inputs.n11 == 1 }}", message: no}
        triggers:
          - id: upstream
            type: io.kestra.plugin.core.trigger.Flow
            inputs: {given: "{{ outputs.theirs.value }}"}
            conditions:
              - type: io.kestra.plugin.core.condition.Expression
                expression: "{{ inputs.theirs }}"
        description: "{{ inputs.words }}"
    """
    # when
    found = [line.partition(": ") for line in told(flow)]
    # then
    assert {place: words.split("`")[1] for place, _, words in found} == {
        "inputs[0].defaults": "n1",
        "pluginDefaults[0].values.message": "n2",
        "tasks[0].values": "n3",
        "tasks[0].tasks[0].inputs.id": "n4",
        "tasks[0].tasks[0].labels.who": "n5",
        "tasks[2].sql": "n6",
        "tasks[3].from": "n7",
        "errors[0].message": "n8",
        "finally[0].message": "n9",
        "outputs[0].value": "n10",
        "checks[0].condition": "n11",
    }


def test_a_name_with_a_dash_is_told_in_a_trigger_too() -> None:
    # given
    flow = """
        id: hooked
        namespace: shop
        inputs:
          - {id: start-date, type: STRING, required: false}
        tasks:
          - {id: a, type: io.kestra.plugin.core.log.Log, message: hi}
        triggers:
          - id: hook
            type: io.kestra.plugin.core.trigger.Webhook
            key: k
            inputs: {start-date: "{{ trigger.body.start-date }}"}
            conditions:
              - type: io.kestra.plugin.core.condition.Expression
                expression: "{{ trigger.body.rows-trigger.body.done > 0 }}"
              - type: io.kestra.plugin.core.condition.Expression
                expression: "{{ outputs.of_theirs.value == inputs.of_theirs }}"
    """
    # when
    (found,) = told(flow)
    # then
    assert found.startswith("triggers[0].inputs.start-date: `trigger.body.start-date` is a sub")
    assert "trigger.body['start-date']" in found


def test_what_tasks_and_triggers_give_is_known() -> None:
    assert told("""
        id: given
        namespace: shop
        tasks:
          - id: set
            type: io.kestra.plugin.core.execution.SetVariables
            variables: {total: 3}
          - {id: a, type: io.kestra.plugin.core.log.Log, message: "{{ vars.total ~ inputs.day }}"}
        triggers:
          - id: daily
            type: io.kestra.plugin.core.trigger.Schedule
            cron: "@daily"
            inputs: {day: monday}
    """) == []  # fmt: skip


def test_variables_that_nobody_can_tell_are_not_spoken_of() -> None:
    assert told("""
        id: given
        namespace: shop
        tasks:
          - id: set
            type: io.kestra.plugin.core.execution.SetVariables
            variables: {"{{ flow.id }}": 3}
          - {id: a, type: io.kestra.plugin.core.log.Log, message: "{{ vars.anything }}"}
          - {id: t, type: io.kestra.plugin.core.flow.Template, namespace: shop, templateId: x}
          - {id: b, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.of_the_template }}"}
    """) == []  # fmt: skip


def test_a_refused_flow_is_told_of_its_names_too() -> None:
    (found,) = told("""
        id: refused
        namespace: shop
        tasks:
          - {id: a, type: io.kestra.plugin.core.log.Log, mesage: "{{ inputs.x }}"}
    """)
    assert "no input `x`" in found


@pytest.mark.parametrize(
    ("expression", "written", "meant"),
    [
        ("{{ input.city }}", "input", "inputs"),
        ("{{ output.load.value | upper }}", "output", "outputs"),
        ("{{ var.count + 1 }}", "var", "vars"),
        ("{{ taskRun.startDate }}", "taskRun", "taskrun"),
        ("{{ inptus.city }}", "inptus", "inputs"),
        ("{% if label['cost-center'] == 'x' %}y{% endif %}", "label", "labels"),
    ],
)
def test_a_variable_that_is_misspelt_is_told(expression: str, written: str, meant: str) -> None:
    (found,) = told_of(expression)
    assert f"there is no variable `{written}` for `{written}" in found
    assert found.endswith(f"; did you mean `{meant}`? (task `say`)")


@pytest.mark.parametrize(
    "expression",
    [
        "{{ input.city ?? 'none' }}",
        "{{ input.city is defined }}",
        "{{ workerTaskrun.id }}",
        "{% for output in [1] %}{{ loop.index }} {{ output.x }}{% endfor %}",
        "{% set var = {'a': 1} %}{{ var.a }}",
        "{{ row.city }}",
        "{{ outputFiles.rows }}",
        "{{ parameters.city }}",
    ],
)
def test_a_variable_that_may_be_meant_is_not_misspelt(expression: str) -> None:
    assert told_of(expression) == []


def test_many_missing_names_in_one_text_are_told_in_a_few_words() -> None:
    text = "".join(f"{{{{ outputs.missing{number}.value }}}} " for number in range(2000))

    warnings = told_of(text)

    assert len(warnings) == 1
    assert "outputs.missing0" in warnings[0]
    assert len(warnings[0]) < 1_200


def test_a_very_long_name_is_told_in_a_few_words() -> None:
    warnings = told_of("{{ outputs.%s.value }}" % ("x" * 100_000))

    assert len(warnings) == 1
    assert len(warnings[0]) < 1_200


@pytest.mark.parametrize("written", ["load%d", "load-%d", "my-load%d"])
def test_names_are_compared_with_a_bounded_number_of_others(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0

    def counted(name: str, known: Iterable[str]) -> str:
        nonlocal compared
        compared += len(list(known))
        return ""

    monkeypatch.setattr("penstock.flow.references.did_you_mean", counted)
    kind = "io.kestra.plugin.core.debug.Return"
    texts = ["{{ outputs." + written % (number + 5000) + ".value }}" for number in range(2000)]
    tasks = [{"id": f"t{n}", "type": kind, "format": text} for n, text in enumerate(texts)]
    flow = {"id": "orders", "namespace": "shop", "tasks": tasks}

    parsed = flow_parser().parse(SourceDocument(flow))

    assert sum(warning.stands_for for warning in parsed.warnings) == 2000
    assert compared <= 200_000


def test_a_flow_with_too_many_expressions_is_not_looked_through() -> None:
    assert told_of("{{ outputs.missing.value }}" * 4_000) != []
    assert told_of("{{ outputs.missing.value }}" * 5_001) == []
