"""Doing again what ran in a pod. What needs no pod is tested in `e2e/apiserver`."""

from __future__ import annotations

import pytest

from e2e.fixtures.scenario import SHELL_IMAGE, Scenario

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
