"""Flows that run flows: each child is an Execution that belongs to its parent."""

from __future__ import annotations

import pytest

from e2e.fixtures.kubernetes import Object
from e2e.fixtures.scenario import Scenario

pytestmark = pytest.mark.cluster

CHILD = """
    id: child
    namespace: company.team
    inputs: [{id: n, type: INT}]
    variables: {doubled: 0}
    tasks:
      - id: double
        type: io.kestra.plugin.core.execution.SetVariables
        variables: {doubled: "{{ inputs.n * 2 }}"}
      - id: positive
        type: io.kestra.plugin.core.execution.Assert
        conditions: ["{{ inputs.n > 0 }}"]
        errorMessage: not positive
    outputs:
      - {id: doubled, type: INT, value: "{{ vars.doubled }}"}
"""
PARENT = """
    id: parent
    namespace: company.team
    labels: {team: blue}
    inputs: [{id: n, type: INT, defaults: 21}]
    variables: {}
    tasks:
      - id: call
        type: io.kestra.plugin.core.flow.Subflow
        namespace: company.team
        flowId: child
        inputs: {n: "{{ inputs.n }}"}
        labels: {called: "yes"}
        inheritLabels: true
      - id: take
        type: io.kestra.plugin.core.execution.SetVariables
        variables: {taken: "{{ outputs.call.outputs.doubled }}"}
"""
SLEEPER = """
    id: sleeper
    namespace: company.team
    tasks:
      - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT5M}
"""


def calling(id: str, child: str) -> str:
    return f"""
        id: {id}
        namespace: company.team
        tasks:
          - {{id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team,
             flowId: {child}}}
    """


def owners(body: Object) -> list[str]:
    return [owner["name"] for owner in body["metadata"].get("ownerReferences", [])]


def test_a_subflow_gives_its_outputs_and_gets_labels(scenario: Scenario) -> None:
    scenario.flow(CHILD)
    parent = scenario.flow(PARENT)

    execution = scenario.execution(parent).ends("SUCCESS")

    child = execution.child().ends("SUCCESS")
    assert execution.outputs("call")["executionId"] == child.name
    assert execution.outputs("call")["outputs"] == {"doubled": 42}
    assert execution.status["variables"]["taken"] in (42, "42")
    labels = child.status["labels"]
    assert (labels["team"], labels["called"]) == ("blue", "yes")
    assert labels["system.correlationId"] == execution.name
    assert child.body["spec"]["trigger"]["variables"]["executionId"] == execution.name
    assert owners(child.body) == [execution.name]
    assert execution.jobs() == []


def test_a_failing_child_fails_its_parent_and_a_restart_restarts_the_same_child(
    scenario: Scenario,
) -> None:
    scenario.flow(CHILD)
    execution = scenario.execution(scenario.flow(PARENT), {"n": -1}).ends("FAILED")
    child = execution.child().ends("FAILED")
    assert child.name in execution.status["message"]
    assert "not positive" in execution.status["message"]

    child.is_told(markAs={"task": "positive", "state": "SUCCESS"})
    child.ends("SUCCESS")
    execution.is_told(restart={})

    # The child has ended well by now: there is nothing to restart in it, and its end is taken.
    execution.ends("SUCCESS")
    assert [view.name for view in execution.children()] == [child.name]
    assert len(execution.run("call")["attempts"]) == 2


def test_a_restart_of_the_parent_does_the_failed_child_again(scenario: Scenario) -> None:
    scenario.flow(CHILD)
    execution = scenario.execution(scenario.flow(PARENT), {"n": -1}).ends("FAILED")

    execution.is_told(restart={})
    scenario.eventually("a second end", lambda: execution.states_reached().count("FAILED") == 2)

    child = execution.child()
    assert child.states_reached().count("RESTARTED") == 1
    assert len(child.run("positive")["attempts"]) == 2
    assert len(child.run("double")["attempts"]) == 1


def test_a_flow_that_is_missing_fails_the_task(scenario: Scenario) -> None:
    flow = scenario.flow(calling("lost", "nowhere"))

    execution = scenario.execution(flow).ends("FAILED")

    assert "nowhere" in execution.status["message"]
    assert execution.run("call")["attempts"][0]["reason"] == "FlowNotFound"


def test_kill_and_delete_reach_the_innermost_child(scenario: Scenario) -> None:
    scenario.flow(SLEEPER)
    scenario.flow(calling("middle", "sleeper"))
    outer = scenario.flow(calling("outer", "middle"))
    killed, deleted = scenario.execution(outer), scenario.execution(outer)
    inner = [view.child().child() for view in (killed, deleted)]
    for view in inner:
        scenario.eventually("a pod", view.pods)

    killed.patched({"kill": True})
    scenario.kubernetes.delete("executions", scenario.namespace, deleted.name)

    killed.ends("KILLED")
    killed.child().ends("KILLED")
    inner[0].ends("KILLED")
    scenario.eventually(
        "the deleted chain gone",
        lambda: not {inner[1].name, deleted.name} & {view.name for view in scenario.executions()},
    )
    scenario.eventually("the Jobs gone", lambda: not scenario.kubernetes.jobs(scenario.namespace))


def test_an_execution_that_only_has_the_name_is_not_taken_for_a_child(scenario: Scenario) -> None:
    scenario.flow(CHILD)
    flow = scenario.flow(PARENT)
    first = scenario.execution(flow, name="same").ends("SUCCESS")
    name = first.child().name
    scenario.kubernetes.delete("executions", scenario.namespace, "same")
    scenario.eventually("all gone", lambda: not scenario.executions())
    scenario.execution("company.team.child", {"n": 1}, name=name).ends("SUCCESS")

    second = scenario.execution(flow, name="same").ends("FAILED")

    assert "did not make" in second.status["message"]
    second.reports("NameClash")


def test_a_child_that_somebody_deletes_fails_its_task(scenario: Scenario) -> None:
    scenario.flow(SLEEPER)
    execution = scenario.execution(scenario.flow(calling("robbed", "sleeper")))
    child = execution.child()
    scenario.eventually(
        "the child seen",
        lambda: execution.run("call")["attempts"][0]["state"] == "RUNNING",
    )

    scenario.kubernetes.delete("executions", scenario.namespace, child.name)

    execution.ends("FAILED")
    assert "was deleted" in execution.status["message"]


def test_large_outputs_of_a_child_reach_its_parent(scenario: Scenario) -> None:
    scenario.flow("""
        id: large
        namespace: company.team
        tasks:
          - id: text
            type: io.kestra.plugin.core.debug.Return
            format: "{% for i in range(1, 1000) %}0123456789{% endfor %}"
        outputs:
          - {id: text, type: STRING, value: "{{ outputs.text.value }}"}
    """)
    flow = scenario.flow("""
        id: measures
        namespace: company.team
        variables: {}
        tasks:
          - id: call
            type: io.kestra.plugin.core.flow.Subflow
            namespace: company.team
            flowId: large
            outputs: {text: "{{ outputs.text.value }}"}
          - id: measure
            type: io.kestra.plugin.core.execution.SetVariables
            variables: {length: "{{ outputs.call.outputs.text | length }}"}
    """)

    execution = scenario.execution(flow).ends("SUCCESS")

    assert str(execution.status["variables"]["length"]) == "10000"
    assert "outputsRef" in execution.run("call")
