"""The rest of the flow language on a cluster: loops, limits of time, and what follows the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from e2e.fixtures.scenario import ExecutionView, Scenario

pytestmark = pytest.mark.cluster

AFTER = """
    id: after
    namespace: company.team
    inputs: [{id: sleeps, type: BOOLEAN, defaults: false}]
    tasks:
      - id: choose
        type: io.kestra.plugin.core.flow.If
        condition: "{{ inputs.sleeps }}"
        then:
          - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT5M}
        else:
          - {id: breaks, type: io.kestra.plugin.core.execution.Assert, conditions: ["{{ false }}"]}
    afterExecution:
      - {id: last, type: io.kestra.plugin.core.debug.Return, format: "{{ execution.state }}"}
"""


def after_has_ended(view: ExecutionView) -> bool:
    return bool(view.status["afterExecution"] == "SUCCESS")


def test_what_runs_after_the_end_sees_it(scenario: Scenario) -> None:
    flow = scenario.flow(AFTER)
    failed, killed = scenario.execution(flow), scenario.execution(flow, {"sleeps": True})
    scenario.eventually("a pod", lambda: killed.pods("sleep"))
    killed.patched({"kill": True})

    for view, state in ((failed, "FAILED"), (killed, "KILLED")):
        view.ends(state)
        scenario.eventually("the end of what runs after", partial(after_has_ended, view))
        assert view.outputs("last") == {"value": state}
        assert view.status["state"] == state
    assert killed.pods("sleep") == [] or all(
        pod["metadata"].get("deletionTimestamp") for pod in killed.pods("sleep")
    )


def test_an_sla_stops_what_takes_too_long(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: quick
        namespace: company.team
        sla:
          - {id: soon, type: MAX_DURATION, duration: PT3S, behavior: FAIL, labels: {sla: missed}}
        tasks:
          - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT5M}
    """)

    execution = scenario.execution(flow).ends("FAILED")

    assert execution.status["violatedSla"] == "soon"
    assert execution.status["labels"]["sla"] == "missed"
    scenario.eventually("the Job gone", lambda: not execution.jobs())


def test_a_task_is_repeated_until_its_condition_holds(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: until
        namespace: company.team
        variables: {n: "0"}
        tasks:
          - id: repeat
            type: io.kestra.plugin.core.flow.LoopUntil
            condition: "{{ (vars.n | number) >= 3 }}"
            checkFrequency: {interval: PT0.2S, maxIterations: 10}
            tasks:
              - id: count
                type: io.kestra.plugin.core.execution.SetVariables
                variables: {n: "{{ (vars.n | number) + 1 }}"}
    """)

    execution = scenario.execution(flow).ends("SUCCESS")

    assert execution.outputs("repeat")["iterationCount"] == 3
    assert execution.status["variables"]["n"] == "3"


def test_a_loop_keeps_the_outputs_of_its_iterations(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: looped
        namespace: company.team
        variables: {}
        tasks:
          - id: each
            type: io.kestra.plugin.core.flow.Loop
            values: [a, b, c]
            concurrencyLimit: 3
            tasks:
              - id: big
                type: io.kestra.plugin.core.debug.Return
                format: "{{ item.value }}{% for i in range(1, 200) %}0123456789{% endfor %}"
            outputs:
              - {id: text, type: STRING, value: "{{ outputs.big.value }}"}
          - id: measure
            type: io.kestra.plugin.core.execution.SetVariables
            variables: {all: "{{ outputs.each.outputs | length }}"}
    """)

    execution = scenario.execution(flow).ends("SUCCESS")

    assert str(execution.status["variables"]["all"]) == "3"
    kept = execution.outputs("each")["outputs"]
    assert [item["item"]["value"] for item in kept] == ["a", "b", "c"]
    assert all(len(str(item)) > 2000 for item in kept)


def test_an_execution_starts_when_it_is_to(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: later
        namespace: company.team
        tasks:
          - {id: label, type: io.kestra.plugin.core.execution.Labels, labels: {a: "1"}}
    """)
    date = datetime.now(UTC) + timedelta(seconds=5)

    on_time = scenario.execution(flow, spec={"scheduleDate": date.isoformat()})
    forced = scenario.execution(flow, spec={"scheduleDate": "2100-01-01T00:00:00Z"})
    forced.reaches("CREATED").is_told(forceRun=True).ends("SUCCESS")

    on_time.ends("SUCCESS")
    assert datetime.fromisoformat(on_time.run("label")["startDate"]) >= date
