"""Doing again: restarts, replays, marks, and retries as a whole."""

from __future__ import annotations

import pytest

from e2e.fixtures.scenario import SHELL_IMAGE, ExecutionView, Scenario

pytestmark = pytest.mark.cluster

FLAKY = f"""
    id: flaky
    namespace: company.team
    tasks:
      - {{id: first, type: io.kestra.plugin.core.execution.Labels, labels: {{first: "1"}}}}
      - id: second
        type: io.kestra.plugin.scripts.shell.Script
        containerImage: {SHELL_IMAGE}
        script: |
          echo '::{{"outputs":{{"try":{{{{ taskrun.attemptsCount }}}}}}}}::'
          test {{{{ taskrun.attemptsCount }}}} = 1
      - {{id: third, type: io.kestra.plugin.core.execution.Labels, labels: {{third: "1"}}}}
"""
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


def test_a_restart_does_what_failed_again_and_keeps_the_rest(scenario: Scenario) -> None:
    execution = scenario.execution(scenario.flow(FLAKY)).ends("FAILED")
    stalled = execution.condition("Stalled")
    assert stalled is not None

    execution.is_told(restart={})

    execution.ends("SUCCESS")
    execution.ran("first", "second", "third").has_one_job_for_each_attempt()
    assert [item["state"] for item in execution.run("second")["attempts"]] == ["FAILED", "SUCCESS"]
    assert len(execution.run("first")["attempts"]) == 1
    assert execution.outputs("second")["vars"] == {"try": 1}
    assert execution.states_reached()[-4:] == ["FAILED", "RESTARTED", "RUNNING", "SUCCESS"]
    assert execution.status["labels"]["system.restarted"] == "true"
    assert execution.condition("Stalled") is None
    assert "No task found" in execution.is_refused(restart={})
    assert execution.status["state"] == "SUCCESS"


def test_what_was_killed_is_restarted_with_a_job_of_its_own(scenario: Scenario) -> None:
    flow = scenario.flow(f"""
        id: killed
        namespace: company.team
        tasks:
          - id: work
            type: io.kestra.plugin.scripts.shell.Script
            containerImage: {SHELL_IMAGE}
            script: 'test {{{{ taskrun.attemptsCount }}}} = 1 || sleep 300'
    """)
    execution = scenario.execution(flow)
    scenario.eventually("a pod", execution.pods)
    execution.patched({"kill": True}).ends("KILLED")

    assert "spec.kill" in execution.is_refused(restart={})
    execution.patched({"kill": False}).is_told(restart={})

    execution.ends("SUCCESS")
    killed, done = execution.run("work")["attempts"]
    assert (killed["state"], done["state"]) == ("KILLED", "SUCCESS")
    assert killed["job"] != done["job"]


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
