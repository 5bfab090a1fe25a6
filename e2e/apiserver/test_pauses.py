"""Waiting for people: pauses, breakpoints, and how they are let go on."""

from __future__ import annotations

from e2e.fixtures.scenario import Scenario

ASKING = """
    id: asking
    namespace: company.team
    variables: {}
    tasks:
      - id: wait
        type: io.kestra.plugin.core.flow.Pause
        onResume:
          - {id: count, type: INT}
          - {id: note, type: STRING, defaults: none}
      - id: take
        type: io.kestra.plugin.core.execution.SetVariables
        variables: {sum: "{{ outputs.wait.onResume.count + 1 }}"}
"""
THREE = """
    id: three
    namespace: company.team
    tasks:
      - {id: a, type: io.kestra.plugin.core.execution.Labels, labels: {a: "1"}}
      - {id: b, type: io.kestra.plugin.core.execution.Labels, labels: {b: "1"}}
      - {id: c, type: io.kestra.plugin.core.execution.Labels, labels: {c: "1"}}
"""


def pausing(id: str, more: str) -> str:
    return f"""
        id: {id}
        namespace: company.team
        tasks:
          - {{id: wait, type: io.kestra.plugin.core.flow.Pause, {more}}}
          - {{id: after, type: io.kestra.plugin.core.execution.Labels, labels: {{after: "1"}}}}
    """


def test_a_pause_is_resumed_by_a_patch_with_typed_inputs(scenario: Scenario) -> None:
    execution = scenario.execution(scenario.flow(ASKING)).reaches("PAUSED")
    reconciling = execution.condition("Reconciling")
    assert reconciling is not None
    assert (reconciling["status"], reconciling["reason"]) == ("True", "Paused")

    assert "count" in execution.is_refused(resume={})
    assert "count" in execution.is_refused(resume={"inputs": {"count": "many"}})
    execution.reaches("PAUSED")
    execution.is_told(resume={"inputs": {"count": "41"}, "by": "ada"})

    execution.ends("SUCCESS")
    assert execution.outputs("wait")["onResume"] == {"count": 41, "note": "none"}
    assert execution.outputs("wait")["resumed"]["by"] == "ada"
    assert str(execution.status["variables"]["sum"]) == "42"
    assert execution.states_reached() == ["CREATED", "RUNNING", "PAUSED", "RUNNING", "SUCCESS"]
    execution.reports("ControlRefused")


def test_a_pause_goes_on_by_itself_as_its_behavior_says(scenario: Scenario) -> None:
    behaviors = {"RESUME": "SUCCESS", "WARN": "WARNING", "FAIL": "FAILED", "CANCEL": "CANCELLED"}
    executions = {
        behavior: scenario.execution(
            scenario.flow(
                pausing(f"pause-{behavior.lower()}", f"pauseDuration: PT2S, behavior: {behavior}")
            )
        )
        for behavior in behaviors
    }

    for behavior, state in behaviors.items():
        execution = executions[behavior].ends(state)
        went_on = behavior in ("RESUME", "WARN")
        assert ("after" in execution.status["labels"]) is went_on, behavior


def test_a_task_resumes_another_execution(scenario: Scenario) -> None:
    asking = scenario.flow(ASKING)
    resuming = scenario.flow("""
        id: resuming
        namespace: company.team
        inputs: [{id: target, type: STRING}]
        tasks:
          - id: resume
            type: io.kestra.plugin.core.execution.Resume
            executionId: "{{ inputs.target }}"
            inputs: {count: 4}
    """)
    paused = scenario.execution(asking).reaches("PAUSED")

    done = scenario.execution(resuming, {"target": paused.name})
    missing = scenario.execution(resuming, {"target": "nobody"})

    done.ends("SUCCESS")
    paused.ends("SUCCESS")
    assert paused.outputs("wait")["onResume"]["count"] == 4
    missing.ends("FAILED")
    assert "nobody" in missing.status["message"]
    late = scenario.execution(resuming, {"target": paused.name}).ends("FAILED")
    assert "has ended" in late.status["message"]


def test_breakpoints_stop_before_their_task(scenario: Scenario) -> None:
    flow = scenario.flow(THREE)

    execution = scenario.execution(flow, spec={"breakpoints": ["b", "c"]}).reaches("BREAKPOINT")

    execution.ran("a")
    execution.is_told(resume={})
    scenario.eventually("the next one", lambda: set(execution.states()) == {"a", "b"})
    execution.reaches("BREAKPOINT").is_told(resume={})
    execution.ends("SUCCESS").ran("a", "b", "c")
