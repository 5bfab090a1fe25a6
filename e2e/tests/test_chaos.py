"""Killed controllers, lost pods: nothing is lost and nothing runs twice."""

from __future__ import annotations

import random
import time

import pytest

from e2e.fixtures.controller import Controller
from e2e.fixtures.kubernetes import wait_for
from e2e.fixtures.scenario import SHELL_IMAGE, ExecutionView, Scenario

pytestmark = pytest.mark.cluster

KILLS = 6
"""How often; the tests on the API server alone kill it many times more, with played pods."""

MIXED = f"""
    id: mixed
    namespace: company.team
    tasks:
      - {{id: first, type: io.kestra.plugin.core.debug.Return, format: "{{{{ flow.id }}}}"}}
      - id: both
        type: io.kestra.plugin.core.flow.Parallel
        tasks:
          - id: left
            type: io.kestra.plugin.scripts.shell.Script
            containerImage: {SHELL_IMAGE}
            script: 'sleep 2; echo "::{{\\"outputs\\":{{\\"side\\":\\"left\\"}}}}::"'
          - id: right
            type: io.kestra.plugin.core.flow.Sequential
            tasks:
              - {{id: r1, type: io.kestra.plugin.core.flow.Sleep, duration: PT1S}}
              - id: r2
                type: io.kestra.plugin.core.debug.Return
                format: "{{{{ outputs.first.value }}}}"
      - id: each
        type: io.kestra.plugin.core.flow.ForEach
        values: [a, b, c, d]
        concurrencyLimit: 2
        tasks:
          - id: item
            type: io.kestra.plugin.core.debug.Return
            format: "{{{{ taskrun.value }}}}"
      - id: flaky
        type: io.kestra.plugin.scripts.shell.Script
        containerImage: {SHELL_IMAGE}
        script: 'sleep 1; test "{{{{ taskrun.attemptsCount }}}}" = 1'
        retry: {{type: constant, interval: PT1S, maxAttempts: 3}}
      - id: choose
        type: io.kestra.plugin.core.flow.If
        condition: "{{{{ outputs.left.vars.side == 'left' }}}}"
        then:
          - {{id: fails, type: io.kestra.plugin.core.execution.Fail, errorMessage: on purpose}}
    errors:
      - {{id: alert, type: io.kestra.plugin.core.log.Log, message: alert}}
    finally:
      - {{id: clean, type: io.kestra.plugin.core.flow.Sleep, duration: PT1S}}
"""

EXPECTED = {
    "first": "SUCCESS", "both": "SUCCESS", "left": "SUCCESS", "right": "SUCCESS",
    "r1": "SUCCESS", "r2": "SUCCESS", "each": "SUCCESS", "item[a]": "SUCCESS",
    "item[b]": "SUCCESS", "item[c]": "SUCCESS", "item[d]": "SUCCESS", "flaky": "SUCCESS",
    "choose": "FAILED", "fails": "FAILED", "alert": "SUCCESS", "clean": "SUCCESS",
}  # fmt: skip


@pytest.mark.alone("kills the controller")
def test_a_controller_killed_at_random_changes_nothing(
    scenario: Scenario, controller: Controller
) -> None:
    flow = scenario.flow(MIXED)
    seed = random.randrange(1_000_000)
    dice = random.Random(seed)
    print(f"seed {seed}")
    executions = [scenario.execution(flow) for _ in range(3)]

    for _ in range(KILLS):
        time.sleep(dice.uniform(0.2, 5))
        if all(_has_ended(execution) for execution in executions):
            executions.append(scenario.execution(flow))
            time.sleep(dice.uniform(0.2, 3))
        controller.kill()
        if dice.random() < 0.7:
            controller.is_ready()

    for execution in executions:
        execution.ends("FAILED", seconds=240)
        assert execution.states() == EXPECTED
        assert len(execution.run("flaky")["attempts"]) == 2
        execution.has_one_job_for_each_attempt()


@pytest.mark.alone("kills the controller")
def test_an_execution_made_while_the_controller_is_away_runs_when_it_is_back(
    scenario: Scenario, controller: Controller
) -> None:
    flow = scenario.flow("""
        id: away
        namespace: company.team
        tasks:
          - {id: a, type: io.kestra.plugin.core.debug.Return, format: there}
    """)

    controller.kill()
    execution = scenario.execution(flow)

    assert execution.ends("SUCCESS").outputs("a") == {"value": "there"}


def test_an_evicted_pod_is_run_again(scenario: Scenario) -> None:
    execution = _sleeping(scenario)
    pod = _running_pod(execution)

    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": scenario.namespace},
    }
    scenario.kubernetes.core.create_namespaced_pod_eviction(pod, scenario.namespace, eviction)

    execution.ends("SUCCESS")
    attempts = execution.run("work")["attempts"]
    assert [attempt["state"] for attempt in attempts] == ["RESUBMITTED", "SUCCESS"]
    execution.reports("TaskLost")


def test_a_pod_deleted_by_hand_fails_its_task(scenario: Scenario) -> None:
    execution = _sleeping(scenario)
    pod = _running_pod(execution)

    scenario.kubernetes.core.delete_namespaced_pod(pod, scenario.namespace, grace_period_seconds=1)

    execution.ends("FAILED")
    attempts = execution.run("work")["attempts"]
    assert [attempt["reason"] for attempt in attempts] == ["PodDeleted"]


def test_a_job_deleted_by_hand_fails_its_task(scenario: Scenario) -> None:
    execution = _sleeping(scenario)
    _running_pod(execution)
    execution.reaches("RUNNING")

    scenario.kubernetes.batch.delete_namespaced_job(
        execution.jobs()[0]["metadata"]["name"],
        scenario.namespace,
        propagation_policy="Background",
    )

    execution.ends("FAILED")
    (attempt,) = execution.run("work")["attempts"]
    assert attempt["reason"] in ("JobDeleted", "PodDeleted")


def _sleeping(scenario: Scenario) -> ExecutionView:
    flow = scenario.flow(f"""
        id: sleeping
        namespace: company.team
        tasks:
          - id: work
            type: io.kestra.plugin.scripts.shell.Script
            containerImage: {SHELL_IMAGE}
            script: sleep 8
    """)
    return scenario.execution(flow)


def _running_pod(execution: ExecutionView) -> str:
    def running() -> str | None:
        for pod in execution.pods("work"):
            if pod.get("status", {}).get("phase") == "Running":
                name: str = pod["metadata"]["name"]
                return name
        return None

    return wait_for("a running pod", running, 60)


def _has_ended(execution: ExecutionView) -> bool:
    return execution.status.get("state") in ("SUCCESS", "FAILED")


CHAIN = {
    "inner": """
        id: inner
        namespace: company.team
        tasks:
          - {id: work, type: io.kestra.plugin.core.flow.Sleep, duration: PT1S}
          - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ execution.id }}"}
        outputs: [{id: said, type: STRING, value: "{{ outputs.say.value }}"}]
    """,
    "middle": """
        id: middle
        namespace: company.team
        concurrency: {limit: 2}
        tasks:
          - id: call
            type: io.kestra.plugin.core.flow.Subflow
            namespace: company.team
            flowId: inner
        outputs: [{id: said, type: STRING, value: "{{ outputs.call.outputs.said }}"}]
    """,
    "outer": """
        id: outer
        namespace: company.team
        tasks:
          - id: each
            type: io.kestra.plugin.core.flow.ForEach
            values: [a, b, c, d]
            concurrencyLimit: 0
            tasks:
              - id: call
                type: io.kestra.plugin.core.flow.Subflow
                namespace: company.team
                flowId: middle
    """,
}


@pytest.mark.alone("kills the controller")
def test_a_chain_of_subflows_survives_killed_controllers(
    scenario: Scenario, controller: Controller
) -> None:
    flows = {name: scenario.flow(text) for name, text in CHAIN.items()}
    seed = random.randrange(1_000_000)
    dice = random.Random(seed)
    print(f"seed {seed}")
    execution = scenario.execution(flows["outer"])

    for _ in range(4):
        time.sleep(dice.uniform(0.2, 4))
        controller.kill()
        controller.is_ready()

    execution.ends("SUCCESS", seconds=240)
    children = execution.children()
    assert len(children) == 4
    for child in children:
        child.ends("SUCCESS")
        assert len(child.children()) == 1
        grandchild = child.child()
        assert child.status["outputs"] == {"said": grandchild.name}
        grandchild.has_one_job_for_each_attempt()
    assert len(scenario.executions()) == 9
