"""Subflow: another flow, as a task of this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstock.resources.execution import State
from tests.fixtures.engine import Given, Outcome
from tests.fixtures.world import START, World

Flow = Callable[[str], Given]


def call(properties: str = "", more: str = "") -> str:
    return f"""
tasks:
  - id: s
    type: Subflow
    namespace: other.team
    flowId: child
    {properties}
  - {{id: after, type: Work, see: "{{{{ outputs.s.outputs ?? 'none' }}}}"}}
errors: [{{id: e, type: Work}}]
{more}
"""


CHILD = """
inputs: [{id: n, type: INT, defaults: 1}]
tasks: [{id: c, type: Work}]
outputs: [{id: n, type: INT, value: "{{ inputs.n }}"}]
"""


def spec_of(outcome: Outcome, index: int = 0) -> Any:
    return outcome.children[index].spec


def test_it_waits_for_the_end_of_the_execution_that_it_made(given: Flow) -> None:
    outcome = given(call()).when_children(seconds={"child": 30}).run()
    outcome.then.ended("SUCCESS").made("child").took(31).attempts("s", "SUCCESS")
    outputs = outcome.task_run("s").outputs or {}
    assert outputs == {"executionId": outcome.children[0].name, "state": "SUCCESS", "outputs": {}}


def test_what_the_execution_is_made_with(given: Flow) -> None:
    outcome = given(call("revision: 4\n    inputs: {n: '{{ 1 + 1 }}', raw: true}")).run()
    spec = spec_of(outcome)
    assert (spec.flow.namespace, spec.flow.id, spec.flow.revision) == ("other.team", "child", 4)
    assert spec.inputs == {"n": "2", "raw": True}
    assert spec.trigger.id == "s"
    assert spec.trigger.type == "io.kestra.plugin.core.flow.Subflow"
    assert spec.trigger.variables == {
        "executionId": "run-1",
        "namespace": "company.team",
        "flowId": "flow",
        "flowRevision": 3,
    }
    assert (spec.parent.execution, spec.parent.depth) == ("run-1", 1)


def test_an_input_that_is_null_is_null_in_the_child_or_has_its_default(given: Flow) -> None:
    child = """
    inputs:
      - {id: n, type: INT, required: false}
      - {id: day, type: DATE, defaults: 2026-01-01}
      - {id: size, type: SELECT, values: [s, m], defaults: m}
      - {id: note, type: STRING, defaults: none}
    tasks: [{id: c, type: Work}]
    """
    given_to_it = "n: '{{ inputs.n }}', day: '{{ null }}', size: '{{ inputs.n }}', note: ''"
    flow = given(
        call(f"inputs: {{{given_to_it}}}", "inputs: [{id: n, type: INT, required: false}]")
    )
    outcome = flow.flow("child", child).run()
    outcome.then.ended("SUCCESS")
    assert outcome.child().status.inputs == {
        "n": None, "day": "2026-01-01", "size": "m", "note": "",
    }  # fmt: skip


def test_a_child_that_must_have_the_input_that_is_null_names_it(given: Flow) -> None:
    child = "inputs: [{id: n, type: INT}]\ntasks: [{id: c, type: Work}]"
    outcome = given(call("inputs: {n: '{{ null }}'}")).flow("child", child).run()
    outcome.then.ended("FAILED").says("Invalid input for `n`, missing required input")


def test_the_flow_that_is_run_may_be_an_expression(given: Flow) -> None:
    flow = call().replace("other.team", "'{{ flow.namespace }}'")
    assert spec_of(given(flow).run()).flow.namespace == "company.team"


def test_not_waiting_it_ends_once_the_execution_is_there(given: Flow) -> None:
    outcome = given(call("wait: false")).when_children(fail=["child"], seconds={"child": 60}).run()
    outcome.then.ended("SUCCESS").took(1)
    outcome.then.outputs("s", executionId=outcome.children[0].name)


@pytest.mark.parametrize(
    ("child", "transmitted", "kept"),
    [
        ("SUCCESS", "SUCCESS", "SUCCESS"),
        ("WARNING", "WARNING", "SUCCESS"),
        ("FAILED", "FAILED", "SUCCESS"),
        ("KILLED", "KILLED", "SUCCESS"),
        # Kestra makes SUCCESS of it; a cancelled child did not do
        # what it was called for.
        ("CANCELLED", "FAILED", "SUCCESS"),
    ],
)
def test_how_it_ends_by_the_end_of_the_execution(
    given: Flow, child: str, transmitted: str, kept: str
) -> None:
    states = {"child": State(child)}
    given(call()).when_children(states=states).run().then.ended(transmitted).states(s=transmitted)
    flow = given(call("transmitFailed: false")).when_children(states=states)
    flow.run().then.ended(kept).states(s=kept)


def test_a_failed_execution_runs_the_errors(given: Flow) -> None:
    outcome = given(call()).when_children(fail=["child"]).run()
    outcome.then.ended("FAILED").ran("e").says("task s: the execution", "child is broken")


def test_a_failure_may_be_allowed(given: Flow) -> None:
    flow = given(call("allowFailure: true")).when_children(fail=["child"])
    flow.run().then.ended("WARNING").ran("after")


def test_outputs_of_the_flow(given: Flow) -> None:
    flow = given(call()).when_children(outputs={"child": {"n": 3}})
    flow.run().then.started_with("after", see='{"n":3}')


def test_the_older_outputs_see_the_execution(given: Flow) -> None:
    flow = given(call("outputs: {x: '{{ outputs.c.value }} {{ inputs.n }}'}")).flow("child", CHILD)
    outcome = flow.when_tasks(outputs={"c": {"value": 8}}).run()
    assert (outcome.task_run("s").outputs or {})["outputs"] == {"x": "8 1"}


def test_outputs_that_cannot_be_had_fail_it(given: Flow) -> None:
    flow = given(call("outputs: {x: '{{ outputs.nobody.x }}'}"))
    flow.run().then.ended("FAILED").says("task s: the outputs of the execution")


def test_labels(given: Flow) -> None:
    flow = given(call("labels: {own: '{{ flow.id }}'}")).labels(team="a")
    assert spec_of(flow.run()).labels == {"own": "flow", "system.correlationId": "run-1"}


def test_inherited_labels(given: Flow) -> None:
    flow = given(call("inheritLabels: true\n    labels: {team: b}")).labels(team="a", more="c")
    labels = spec_of(flow.run()).labels
    assert labels == {"team": "b", "more": "c", "system.correlationId": "run-1"}


def test_labels_of_the_system_are_not_ones_to_set(given: Flow) -> None:
    flow = given(call("labels: {'{{ \"system.x\" }}': a}"))
    flow.run().then.ended("FAILED").says("offending label: system.x").made()


@pytest.mark.parametrize(
    "date",
    ["2025-03-01T12:10:00Z", "2025-03-01T12:10Z[UTC]", "2025-03-01T13:10+01:00[Europe/Oslo]"],
)
def test_the_date_of_the_execution(given: Flow, date: str) -> None:
    outcome = given(call(f'scheduleDate: "{date}"')).run()
    outcome.then.ended("SUCCESS").took(602)


def test_what_is_no_date_of_an_execution_fails(given: Flow) -> None:
    flow = given(call("scheduleDate: soon"))
    flow.run().then.ended("FAILED").says("`scheduleDate` must be a date").made()


def test_inputs_that_cannot_be_rendered_fail_it(given: Flow) -> None:
    given(call("inputs: {n: '{{ nothing }}'}")).run().then.ended("FAILED").ran("e").made()


def test_an_execution_that_was_refused_fails_it(given: Flow) -> None:
    flow = given(call("wait: false")).when_children(refused=["child"])
    flow.run().then.ended("FAILED").says("was refused: there is no such flow")


def test_inputs_are_typed_by_the_flow_that_is_run(given: Flow) -> None:
    flow = given(call("inputs: {n: many}")).flow("child", CHILD)
    flow.run().then.ended("FAILED").says("was refused: Invalid input for `n`")


def test_a_flow_that_runs_a_flow(given: Flow) -> None:
    flow = given(call("inputs: {n: 5}")).flow("child", CHILD)
    flow.run().then.ended("SUCCESS").started_with("after", see='{"n":5}')


def test_a_retry_makes_another_execution(given: Flow) -> None:
    flow = given(call("retry: {type: constant, interval: PT10S}")).when_children(fail={"child": 2})
    outcome = flow.run()
    outcome.then.ended("SUCCESS").attempts("s", "FAILED", "FAILED", "SUCCESS").made(*["child"] * 3)
    assert len({start.name for start in outcome.children}) == 3


def test_an_execution_that_is_tried_again_is_followed(given: Flow) -> None:
    child = """
    retry: {type: constant, interval: PT10S, maxAttempts: 3, behavior: CREATE_NEW_EXECUTION}
    tasks: [{id: x, type: Assert, conditions: ["{{ execution.originalId != execution.id }}"]}]
    outputs: [{id: n, type: STRING, value: "{{ execution.id }}"}]
    """
    outcome = given(call()).flow("child", child).run()
    outcome.then.ended("SUCCESS").made("child", "child").took(11)
    original, retried = (start.name for start in outcome.children)
    outputs = outcome.task_run("s").outputs or {}
    assert (outputs["executionId"], outputs["outputs"]) == (original, {"n": retried})


def test_the_last_of_its_retries_decides(given: Flow) -> None:
    child = """
    retry: {type: constant, interval: PT10S, maxAttempts: 2, behavior: CREATE_NEW_EXECUTION}
    tasks: [{id: x, type: Assert, conditions: [false]}]
    """
    given(call()).flow("child", child).run().then.ended("FAILED").made("child", "child")


def test_a_restart_restarts_the_execution_that_failed(given: Flow) -> None:
    flow = given(call()).when_children(fail=["child"]).when_it_is_over().control(restart={})
    outcome = flow.run()
    outcome.then.ended("SUCCESS").made("child").attempts("s", "FAILED", "SUCCESS")
    first, second = outcome.task_run("s").attempts
    assert first.execution == second.execution
    assert second.restarts


def test_a_restart_may_make_another_execution(given: Flow) -> None:
    flow = given(call("restartBehavior: NEW_EXECUTION")).when_children(fail={"child": 1})
    outcome = flow.when_it_is_over().control(restart={}).run()
    outcome.then.ended("SUCCESS").made("child", "child").attempts("s", "FAILED", "SUCCESS")


def test_a_restart_of_flows_that_are_run_in_full(given: Flow) -> None:
    child = """
    tasks:
      - {id: first, type: SetVariables, variables: {count: "{{ (vars.count ?? 0) + 1 }}"}}
      - {id: x, type: Assert, conditions: ["{{ labels.system.restarted ?? false }}"]}
    outputs: [{id: n, type: INT, value: "{{ vars.count }}"}]
    """
    flow = given(call()).flow("child", child).when_it_is_over().control(restart={})
    flow.run().then.ended("SUCCESS").made("child").started_with("after", see='{"n":1}')


def test_flows_that_run_each_other_come_to_an_end(given: Flow) -> None:
    child = "tasks: [{id: s, type: Subflow, namespace: other.team, flowId: child2}]"
    child2 = "tasks: [{id: s2, type: Subflow, namespace: other.team, flowId: child}]"
    flow = given(call()).limits(depth=5).flow("child", child).flow("child2", child2)
    outcome = flow.run()
    outcome.then.ended("FAILED").says("executions are nested more than 5 deep")
    assert len(outcome.children) == 5


def test_a_kill_kills_the_execution(given: Flow) -> None:
    outcome = given(call()).when_children(seconds={"child": 60}).at(9).kill().run()
    outcome.then.ended("KILLED").states(s="KILLED").took(9)
    assert outcome.child().kills == 1


def test_a_kill_reaches_executions_of_executions(given: Flow) -> None:
    child = "tasks: [{id: p, type: Pause}]"
    outcome = given(call()).flow("child", child).at(9).kill().run()
    assert outcome.child().status.state == "KILLED"


def test_a_kill_reaches_the_retry_of_an_execution(given: Flow) -> None:
    child = """
    retry: {type: constant, interval: PT10S, behavior: CREATE_NEW_EXECUTION}
    tasks: [{id: x, type: Assert, conditions: [false]}]
    """
    outcome = given(call()).flow("child", child).at(25).kill().until(60)
    outcome.then.ended("KILLED").made("child", "child", "child", "child")
    assert [outcome.child(index).kills for index in range(4)] == [0, 0, 0, 1]


def test_a_kill_reaches_an_execution_that_nobody_has_seen_yet(given: Flow) -> None:
    """The execution was asked for, and nobody knows whether it exists."""
    world = given(call()).begin()
    world.kill(START)
    blind = world.engine.advance(world.identity, world.status, {}, START, children={})
    assert blind.status.state == "KILLED"
    assert [type(action).__name__ for action in blind.actions] == ["KillExecution"]


def test_an_execution_is_asked_for_until_it_is_seen(given: Flow) -> None:
    world: World = given(call()).begin()
    first = world.cluster.made[0]
    blind = world.engine.advance(world.identity, world.status, {}, START, children={})
    assert blind.actions == (first,)
    assert blind.status == world.status


def test_in_a_loop_each_value_has_its_execution(given: Flow) -> None:
    outcome = given("""
    tasks:
      - id: each
        type: ForEach
        values: [x, y]
        concurrencyLimit: 0
        tasks:
          - {id: s, type: Subflow, namespace: t, flowId: child, inputs: {v: "{{ taskrun.value }}"}}
    """).run()
    outcome.then.ended("SUCCESS").made("child", "child")
    assert [start.spec.inputs for start in outcome.children] == [{"v": "x"}, {"v": "y"}]


def test_a_paused_execution_keeps_it_running(given: Flow) -> None:
    outcome = given(call()).flow("child", "tasks: [{id: p, type: Pause}]").rest()
    outcome.then.is_in("RUNNING").states(s="RUNNING")


def test_a_restart_makes_the_execution_that_could_not_be_made(given: Flow) -> None:
    flow = given(call('inputs: {n: "{{ labels.n }}"}'))
    flow = flow.when_it_is_over().control(labels={"n": "4"})
    outcome = flow.when_it_is_over().control(restart={}).run()
    outcome.then.ended("SUCCESS").made("child").attempts("s", "FAILED", "SUCCESS")
