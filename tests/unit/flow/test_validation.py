"""What makes a flow invalid, and how its author is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.flow.loading import SourceDocument, load_document
from penstock.flow.problems import InvalidFlow
from penstock.flow.task import RunnableTask
from penstock.types import flow_parser
from tests.fixtures import flows
from tests.fixtures.flows import problems, reasons, warnings

TASKS = "tasks: [{id: a, type: Work}]\n"


def of_task(line: str) -> list[str]:
    """The problems of a flow whose only task says one thing more."""
    return reasons(f"tasks:\n  - id: a\n    type: Log\n    message: hi\n    {line}\n")


def test_a_good_flow_has_no_problems() -> None:
    assert problems(TASKS) == ()


def test_every_problem_is_told_in_order_of_lines() -> None:
    told = reasons("""
    labels: 3
    tasks:
      - id: a b
        type: Log
        message: [{a: b}]
      - type: Log
        message: hi
        mesage: hi
      - id: c
    """)
    assert [line.split(": ")[0] + ": " + line.split(": ")[1] for line in told] == [
        "line 2: labels", "line 4: tasks[0].id", "line 6: tasks[0].message[0]",
        "line 7: tasks[1].id", "line 9: tasks[1].mesage", "line 10: tasks[2].type",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("levle: INFO", "tasks[0].levle: unknown property `levle`; did you mean `level`?"),
        ("properties: {a: b}", "tasks[0].properties: unknown property `properties`"),
        ("typed: x", "tasks[0].typed: unknown property `typed`; did you mean `type`?"),
        ("run_if: x", "tasks[0].run_if: unknown property `run_if`; did you mean `runIf`?"),
        ("retry: {type: constant, interval: 5m}", "`5m` is not an ISO-8601 duration; write for"),
        (
            "retry: {type: constant, interval: PT99999999999999H}",
            "is too long for a duration",
        ),
        ("disabled: maybe", "tasks[0].disabled: must be true or false"),
        ("runIf: [x]", "tasks[0].runIf: must be text, true or false, a whole number or a number"),
        ("logLevel: LOUD", "tasks[0].logLevel: `LOUD` is not one of 'TRACE', 'DEBUG'"),
        ("workerGroup: {key: x}", "tasks[0].workerGroup: Worker Group is an Enterprise Edition"),
        ("retry: {interval: PT1S}", "tasks[0].retry: missing required property `type`"),
        ("retry: {type: often}", "tasks[0].retry: `often` is not one of 'constant'"),
        ("retry: {type: constant}", "tasks[0].retry.interval: missing required property"),
        (
            "retry: {type: constant, interval: PT1S, maxDelay: 3}",
            "tasks[0].retry.maxDelay: unknown property `maxDelay`",
        ),
        (
            "retry: {type: constant, interval: PT1S, maxAttempts: 0}",
            "tasks[0].retry.maxAttempts: Input should be greater than or equal to 1",
        ),
        (
            "retry: {type: constant, interval: PT2S, maxDuration: PT2S}",
            "'interval' must be less than 'maxDuration' but is 0:00:02",
        ),
        (
            "retry: {type: exponential, interval: PT2S, maxInterval: PT1S}",
            "'interval' must be less than 'maxInterval'",
        ),
        (
            "retry: {type: random, minInterval: PT2S, maxInterval: PT1S}",
            "'minInterval' must be less than 'maxInterval'",
        ),
        ("description: '{{ not checked'", ""),
        ("retry: {type: constant, interval: PT2S, maxDuration: P1D}", ""),
    ],
)
def test_properties_of_a_task(line: str, told: str) -> None:
    found = of_task(line)
    if not told:
        assert found == []
        return
    assert len(found) == 1
    assert found[0].startswith("line 5: tasks[0]")
    assert told in found[0]


@pytest.mark.parametrize("written", ["properties", "typed", "unrendered", "run_if", "when"])
def test_what_is_suggested_in_place_of_a_name_is_another_name_that_exists(written: str) -> None:
    for line in of_task(f"{written}: x"):
        suggested = line.rpartition("did you mean `")[2].removesuffix("`?")
        assert suggested not in (written, "properties", "typed", "unrendered")


def test_a_trigger_may_have_a_property_of_the_name_properties() -> None:
    flow = flows.flow(
        TASKS + "triggers:\n  - id: t\n    type: io.kestra.plugin.kafka.Trigger\n"
        "    topic: rows\n    properties: {bootstrap.servers: 'kafka:9092'}\n"
    )
    assert flow.triggers[0].properties == {
        "topic": "rows",
        "properties": {"bootstrap.servers": "kafka:9092"},
    }


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("io.kestra.plugin.core.log.Logg", "did you mean `io.kestra.plugin.core.log.Log`?"),
        ("io.kestra.plugin.scripts.shells.Commands", "did you mean `io.kestra.plugin.scripts.sh"),
        ("io.kestra.plugin.jdbc.postgresql.Query", "is not served by Penstock yet"),
        ("Nonsense", "no task type `Nonsense`"),
        ("3", "no task type `3`"),
    ],
)
def test_a_type_that_is_misspelt_and_one_that_is_not_served(kind: str, told: str) -> None:
    (found,) = reasons(f"tasks:\n  - id: a\n    type: {kind}\n")
    assert found.startswith("line 3: tasks[0].type: ")
    assert told in found
    assert ("did you mean" in found) == ("did you mean" in told)


def test_type_names_are_compared_without_case_and_old_names_are_known() -> None:
    flow = flows.flow("""
    tasks:
      - {id: a, type: IO.Kestra.Plugin.Core.LOG.log, message: hi}
      - {id: s, type: io.kestra.core.tasks.flows.Sequential, tasks: [{id: b, type: Work}]}
    """)
    assert flow.tasks[0].type == "io.kestra.plugin.core.log.Log"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id: x", "line 1: tasks: missing required property"),
        ("tasks: []", "line 1: tasks: must not be empty"),
        ("tasks:", "line 1: tasks: missing required property"),
        ("tasks: {a: b}", "line 1: tasks: must be a list"),
        ("tasks: [a]", "line 1: tasks[0]: a task is a map with `id` and `type`"),
        ("tasks: [{id: a}]", "line 1: tasks[0].type: missing required property"),
        (TASKS + "id: ''", "line 2: id: `` does not match"),
        (TASKS + "id: [3]", "line 2: id: must be text"),
        (TASKS + "id: pause", "line 2: id: the flow id `pause` is reserved; choose another"),
        (TASKS + "id: ${x}", "line 2: id: `${x}` does not match"),
        (TASKS + f"id: {'x' * 101}", "line 2: id: String should have at most 100 characters"),
        (TASKS + "namespace: Company", "line 2: namespace: `Company` does not match"),
        (TASKS + "schedule: x", "line 2: schedule: unknown property `schedule`"),
        (TASKS + "finally_: []", "line 2: finally_: unknown property `finally_`; did you mean"),
        (TASKS + "labels: [a]", "line 2: labels: a label is written as `key: …` and `value: …`"),
        (TASKS + "labels: {system.x: y}", "line 2: labels.system.x: System labels can only be"),
        (
            TASKS + "labels: {penstock.dev/priority: urgent}",
            "line 2: labels.penstock.dev/priority: the priority of the flow's executions is an "
            "integer from -1000 to 1000, not `urgent`",
        ),
        (TASKS + "labels: {penstock.dev/priority: 1001}", "not `1001`"),
        (TASKS + "concurrency: {limit: 0}", "line 2: concurrency.limit: Input should be greater"),
        (TASKS + "concurrency: {limit: 1, key: x}", "concurrency.key: unknown property `key`"),
        (TASKS + "triggers: [{id: a b, type: x}]", "line 2: triggers[0].id: `a b` does not match"),
        (TASKS + "errors: [{id: a, type: Work}]", "errors[0].id: Duplicate task id with name [a]"),
        (
            TASKS + "triggers: [{id: t, type: x}, {id: t, type: y}]",
            "line 2: triggers[1].id: Duplicate trigger id with name [t]",
        ),
        (
            TASKS + "outputs: [{id: o, value: x}, {id: o, value: y}]",
            "line 2: outputs[1].id: Duplicate output id with name [o]",
        ),
        (
            TASKS + "pluginDefaults: [{type: x, value: {a: b}}]",
            "pluginDefaults[0].value: unknown property `value`; did you mean `values`?",
        ),
        (TASKS + "pluginDefaults: [{values: {a: b}}]", "pluginDefaults[0].type: missing required"),
        ("tasks: [{id: s, type: Sequential, tasks: []}]", "tasks[0].tasks: must not be empty"),
        ("tasks: [{id: s, type: Sequential}]", "tasks[0].tasks: missing required property"),
        (
            "tasks: [{id: s, type: Switch, value: x, cases: {}, defaults: null}]",
            "tasks[0]: No task defined, neither cases or default have any tasks",
        ),
        (
            "tasks: [{id: s, type: Switch, value: x, cases: {random: [{id: a}]}}]",
            "tasks[0].cases.random[0].type: missing required property",
        ),
        (
            "tasks: [{id: p, type: Parallel, concurrent: -1, tasks: [{id: a, type: Work}]}]",
            "tasks[0].concurrent: Input should be greater than or equal to 0",
        ),
        (
            "tasks: [{id: l, type: ForEach, values: {a: b}, tasks: [{id: a, type: Work}]}]",
            "tasks[0].values: must be text or a list",
        ),
    ],
)  # fmt: skip
def test_a_flow_as_a_whole(text: str, told: str) -> None:
    found = reasons(text)
    assert any(told in line for line in found), found


def test_a_document_that_is_no_map() -> None:
    with pytest.raises(InvalidFlow, match="a flow is a map with `id`, `namespace` and `tasks`"):
        flows.parser().parse(load_document("- a"))


def test_what_is_empty_counts_as_not_given() -> None:
    flow = flows.flow(TASKS + "inputs:\nvariables:\nlabels:\nerrors:\ntriggers:\nretry:\n")
    assert (flow.inputs, flow.variables, flow.labels, flow.errors) == ([], {}, {}, [])


def test_labels_are_a_map_or_a_list_and_always_text() -> None:
    assert flows.flow(TASKS + "labels: {a: 1, b: true, c: x}").labels == {
        "a": "1", "b": "true", "c": "x"
    }  # fmt: skip
    listed = "labels: [{key: a, value: 1}, {key: a, value: 2}, {key: b, value: x}]"
    assert flows.flow(TASKS + listed).labels == {"a": "1", "b": "x"}


def test_blueprints_metadata_is_left_out() -> None:
    assert problems(TASKS + "extend: {title: x, description: '{{ y'}") == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "outputs: [{id: o, type: STRING, value: '{{ 1 +'}]",
            "outputs[0].value: `{{` is not closed by `}}`",
        ),
    ],
)
def test_what_is_accepted_and_not_served_is_a_warning(text: str, told: str) -> None:
    (found,) = warnings(TASKS + text)
    assert found.startswith(told)


# --- plugin defaults ------------------------------------------------------------------------------


def with_defaults(defaults: str, task: str = "message: own") -> dict[str, object]:
    flow = flows.flow(f"pluginDefaults: [{defaults}]\ntasks: [{{id: a, type: Work, {task}}}]")
    properties: dict[str, object] = getattr(flow.tasks[0], "properties")  # noqa: B009
    return properties


WORK = "io.kestra.plugin.core.test.Work"


@pytest.mark.parametrize("kind", [WORK, WORK.upper(), "io.kestra.plugin.core", "io.kestra"])
def test_a_default_is_for_a_type_or_the_beginning_of_one(kind: str) -> None:
    assert with_defaults(f"{{type: {kind}, values: {{n: 1}}}}") == {"message": "own", "n": 1}


def test_a_default_for_another_type_does_nothing() -> None:
    assert with_defaults("{type: io.kestra.plugin.jdbc, values: {n: 1}}") == {"message": "own"}


def test_the_task_wins_and_lists_are_joined_and_maps_are_merged() -> None:
    found = with_defaults(
        f"{{type: {WORK}, values: {{message: no, list: [1], map: {{a: 1, b: 1}}}}}}",
        "message: own, list: [2], map: {b: 2}",
    )
    assert found == {"message": "own", "list": [1, 2], "map": {"a": 1, "b": 2}}


def test_forced_values_win_and_of_several_the_first() -> None:
    found = with_defaults(
        f"{{type: {WORK}, forced: true, values: {{message: 1}}}}, "
        f"{{type: {WORK}, forced: true, values: {{message: 2, n: 2}}}}"
    )
    assert found == {"message": 1, "n": 2}


def test_a_runner_that_one_default_names_is_equipped_by_the_default_of_its_type() -> None:
    found = with_defaults(
        f"{{type: {WORK}, values: {{runner: {{type: own.Pods, cpu: 2}}}}}}, "
        "{type: own.Pods, values: {cpu: 1, labels: [a]}}",
        "runner: {labels: [b]}",
    )
    assert found == {"runner": {"type": "own.Pods", "cpu": 2, "labels": ["a", "b"]}}


def test_of_a_runner_that_the_task_names_the_default_of_its_type_is_nearer() -> None:
    found = with_defaults(
        f"{{type: {WORK}, values: {{runner: {{cpu: 2, memory: 1}}}}}}, "
        "{type: own.Pods, values: {cpu: 1, labels: [a]}}",
        "runner: {type: own.Pods, labels: [b]}",
    )
    runner = {"type": "own.Pods", "cpu": 1, "memory": 1, "labels": ["a", "b"]}
    assert found == {"runner": runner}


def test_a_default_that_holds_its_own_type_ends() -> None:
    found = with_defaults(f"{{type: {WORK}, values: {{inner: {{type: {WORK}, n: 1}}}}}}")
    assert found == {"message": "own", "inner": {"type": WORK, "n": 1}}


def test_a_default_under_an_old_name_is_for_the_name_of_today_too() -> None:
    flow = flows.flow("""
    taskDefaults: [{type: io.kestra.core.tasks.log.Log, values: {level: WARN}}]
    tasks:
      - {id: new, type: io.kestra.plugin.core.log.Log, message: hi}
      - {id: old, type: io.kestra.core.tasks.log.Log, message: hi}
      - {id: other, type: io.kestra.plugin.core.debug.Return}
    triggers:
      - {id: hook, type: io.kestra.plugin.core.trigger.Webhook}
    pluginDefaults: [{type: io.kestra.core.models.triggers.types.Webhook, values: {key: k}}]
    """)
    levels = [task.properties.get("level") for task in flow.tasks if isinstance(task, RunnableTask)]
    assert levels == ["WARN", "WARN", None]
    assert flow.triggers[0].properties == {"key": "k"}


def test_defaults_reach_tasks_in_flowables_and_their_shared_properties() -> None:
    flow = flows.flow(f"""
    taskDefaults: [{{type: {WORK}, values: {{timeout: PT5S}}}}]
    tasks: [{{id: s, type: Sequential, tasks: [{{id: a, type: Work}}]}}]
    """)
    (_, tasks), *_ = flow.tasks[0].child_lists()
    assert str(tasks[0].timeout) == "0:00:05"


def test_a_default_by_prefix_may_hold_what_a_type_does_not_know() -> None:
    text = """
    pluginDefaults: [{type: io.kestra.plugin.core, values: {message: hi}}]
    tasks: [{id: a, type: Log}, {id: s, type: Sequential, tasks: [{id: b, type: Log}]}]
    """
    assert problems(text) == ()


def test_a_default_for_exactly_that_type_must_fit() -> None:
    (found,) = reasons("""
    pluginDefaults: [{type: io.kestra.plugin.core.log.Log, values: {mesage: hi}}]
    tasks: [{id: a, type: Log, message: hi}]
    """)
    assert found.startswith("line 3: tasks[0].mesage: unknown property `mesage`; did you mean")
    assert found.endswith("(given by `pluginDefaults`)")


# --- Kestra's own invalid flows -------------------------------------------------------------------

_INVALIDS = Path(__file__).parents[4] / "shared/conformance/flows/invalids"


@pytest.mark.skipif(not _INVALIDS.is_dir(), reason="the conformance flows are not beside us")
def test_kestras_invalid_flows_are_refused() -> None:
    accepted = set()
    for file in sorted(_INVALIDS.iterdir()):
        try:
            flows.parser().parse(load_document(file.read_bytes()))
        except InvalidFlow:
            continue
        accepted.add(file.name)
    assert accepted == set()


def test_expressions_that_do_not_compile_are_told_with_their_task_wherever_they_are_rendered() -> (
    None
):
    told = warnings("""
    labels: {not: "{{ rendered"}
    variables: {rendered: "{{ by render() only"}
    tasks:
      - {id: count, type: Log, message: 'echo ${#NAME}'}
      - {id: set, type: SetVariables, variables: {a: "{{ open", "b{{ open": 1}}
      - id: call
        type: Subflow
        namespace: company.team
        flowId: other
        inputs: {id: "{{ open", description: "{{ 1 | unknown }}"}
        labels: {team: "{{ open"}
      - {id: asleep, type: Log, disabled: true, message: "{{ open"}
      - id: choose
        type: Switch
        value: a
        cases: {"{{ compared": [{id: say, type: Log, message: hi}]}
    """)
    assert [line.split(": ")[0] + line[line.rindex(" (") :] for line in told] == [
        "tasks[0].message (task `count`)",
        "tasks[1].variables.a (task `set`)",
        "tasks[1].variables.b{{ open (task `set`)",
        "tasks[2].inputs.id (task `call`)",
        "tasks[2].inputs.description (task `call`)",
        "tasks[2].labels.team (task `call`)",
    ]


@pytest.mark.parametrize("levels", [150, 5_000])
def test_a_flow_that_is_nested_too_deeply_is_refused_in_words(levels: int) -> None:
    task: dict[str, Any] = {"id": "x", "type": "io.kestra.plugin.core.log.Log", "message": "hi"}
    for level in range(levels):
        kind = "io.kestra.plugin.core.flow.Sequential"
        task = {"id": f"s{level}", "type": kind, "tasks": [task]}

    with pytest.raises(InvalidFlow) as refused:
        flow_parser().parse(SourceDocument({"id": "f", "namespace": "n", "tasks": [task]}))

    (problem,) = refused.value.problems
    assert problem.path == "tasks[0].tasks[0]"
    assert "deeper than 120 levels" in problem.message
    assert "call it with a Subflow" in problem.message


def with_triggers(number: int) -> str:
    schedule = 'type: io.kestra.plugin.core.trigger.Schedule, cron: "@daily"'
    listed = "".join(f"  - {{id: t{index}, {schedule}}}\n" for index in range(number))
    return f"{TASKS}triggers:\n{listed}"


def test_a_flow_has_as_many_triggers_as_its_status_has_room_for() -> None:
    assert problems(with_triggers(200)) == ()
    (told,) = reasons(with_triggers(201))
    assert "triggers: a flow has at most 200 triggers, and this one has 201." in told
    assert "call this one with a Subflow" in told
