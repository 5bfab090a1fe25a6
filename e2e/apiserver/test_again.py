"""Doing again: restarts, replays, marks, and retries as a whole."""

from __future__ import annotations

from e2e.fixtures.scenario import ExecutionView, Scenario

FAILING = """
    id: failing
    namespace: company.team
    inputs: [{id: ok, type: BOOLEAN, defaults: false}]
    tasks:
      - {id: before, type: io.kestra.plugin.core.execution.Labels, labels: {before: "1"}}
      - id: check
        type: io.kestra.plugin.core.execution.Assert
        conditions: ["{{ inputs.ok }}"]
      - {id: after, type: io.kestra.plugin.core.execution.Labels, labels: {after: "1"}}
"""


def made_by(execution: ExecutionView, message: str) -> ExecutionView:
    return ExecutionView(execution.scenario, message.rsplit(" ", 1)[-1])


def test_a_restart_may_go_on_with_another_revision(scenario: Scenario) -> None:
    flow = scenario.flow(FAILING)
    execution = scenario.execution(flow).ends("FAILED")
    body = flow.body
    body["spec"]["tasks"][1]["conditions"] = ["{{ true }}"]
    patch = {"spec": {"tasks": body["spec"]["tasks"]}}
    scenario.kubernetes.patch("flows", scenario.namespace, flow.name, patch)
    flow.is_ready(revision=2)

    assert "not kept" in execution.is_refused(restart={"revision": 9})
    assert execution.status["state"] == "FAILED"
    execution.is_told(restart={"revision": 2})

    execution.ends("SUCCESS").ran("before", "check", "after")
    assert execution.status["flow"]["revision"] == 2


def test_a_replay_is_another_execution_from_a_task_on(scenario: Scenario) -> None:
    execution = scenario.execution(scenario.flow(FAILING)).ends("FAILED")

    answer = execution.asks(replay={"task": "check", "inputs": {"ok": True}})
    replay = made_by(execution, answer["message"]).ends("SUCCESS")

    replay.ran("before", "check", "after")
    assert replay.run("before")["startDate"] == execution.run("before")["startDate"]
    assert replay.status["labels"]["system.replay"] == "true"
    assert replay.body["spec"]["replay"] == {"execution": execution.name, "task": "check"}
    assert execution.status["state"] == "FAILED"
    assert "no task run" in execution.is_refused(replay={"task": "nothing"})
    lost = scenario.execution(
        "company.team.failing", spec={"replay": {"execution": "nobody"}}
    ).ends("FAILED")
    assert "nobody" in lost.status["message"]


def test_a_task_is_marked_and_its_execution_labelled_and_given_another_end(
    scenario: Scenario,
) -> None:
    execution = scenario.execution(scenario.flow(FAILING)).ends("FAILED")

    execution.is_told(markAs={"task": "check", "state": "WARNING"}).ends("WARNING")
    execution.ran("before", "check", "after")
    execution.is_told(labels={"seen": "yes"})
    execution.is_told(changeStatus={"state": "FAILED"})

    assert execution.status["labels"]["seen"] == "yes"
    assert execution.status["state"] == "FAILED"
    succeeded = execution.condition("Succeeded")
    assert succeeded is not None and succeeded["status"] == "False"
    execution.patched({"labels": {"too": "late"}})
    scenario.eventually(
        "the change seen",
        lambda: execution.status["observedGeneration"] == execution.body["metadata"]["generation"],
    )
    assert "too" not in execution.status["labels"]


def test_a_retry_may_be_another_execution(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: whole
        namespace: company.team
        retry: {behavior: CREATE_NEW_EXECUTION, type: constant, interval: PT1S, maxAttempts: 3}
        tasks:
          - {id: label, type: io.kestra.plugin.core.execution.Labels, labels: {a: "1"}}
          - id: check
            type: io.kestra.plugin.core.execution.Assert
            conditions: ["{{ false }}"]
    """)

    first = scenario.execution(flow).ends("RETRIED")

    scenario.eventually(
        "the last one",
        lambda: [view for view in scenario.executions() if view.status.get("state") == "FAILED"],
    )
    views = scenario.executions()
    assert sorted(view.status["state"] for view in views) == ["FAILED", "RETRIED", "RETRIED"]
    retries = [view.body["spec"]["retry"] for view in views if view.name != first.name]
    assert sorted(retry["attempt"] for retry in retries) == [2, 3]
    assert {retry["original"] for retry in retries} == {first.name}
