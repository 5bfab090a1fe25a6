"""Executions on a real cluster: each task a Job, each result in the status."""

from __future__ import annotations

import json

import pytest

from e2e.fixtures.kubernetes import Object
from e2e.fixtures.scenario import PYTHON_IMAGE, SHELL_IMAGE, Scenario

pytestmark = pytest.mark.cluster


def has_ended(pod: Object) -> bool:
    """Whether a pod's container has ended; its phase says so a little later."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return any("terminated" in status["state"] for status in statuses)


def test_core_tasks_run_as_jobs_and_give_outputs(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: hello
        namespace: company.team
        inputs:
          - {id: name, type: STRING, defaults: Ada}
        tasks:
          - {id: greet, type: io.kestra.plugin.core.debug.Return, format: "Hello {{ inputs.name }}"}
          - {id: say, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.greet.value }}"}
        outputs:
          - {id: greeting, type: STRING, value: "{{ outputs.greet.value }}"}
    """)

    execution = scenario.execution(flow, {"name": "Grace"}).ends("SUCCESS")

    execution.ran("greet", "say").has_one_job_for_each_attempt()
    assert execution.outputs("greet") == {"value": "Hello Grace"}
    assert execution.status["outputs"] == {"greeting": "Hello Grace"}
    assert execution.status["progress"] == "2/2"
    succeeded = execution.condition("Succeeded")
    assert succeeded is not None and succeeded["status"] == "True"
    (pod,) = execution.pods("say")
    assert "Hello Grace" in scenario.kubernetes.log(scenario.namespace, pod["metadata"]["name"])
    execution.reports("Started", "Success")


def test_scripts_hand_on_what_they_print(scenario: Scenario) -> None:
    flow = scenario.flow(f"""
        id: scripts
        namespace: company.team
        tasks:
          - id: shell
            type: io.kestra.plugin.scripts.shell.Script
            containerImage: {SHELL_IMAGE}
            env: {{WHO: "World"}}
            script: |
              total=$(expr 40 + 2)
              echo "::{{\\"outputs\\":{{\\"total\\":$total,\\"who\\":\\"$WHO\\"}}}}::"
              echo "::{{\\"outputs\\":{{\\"late\\":true}}}}::" >&2
          - id: python
            type: io.kestra.plugin.scripts.python.Script
            containerImage: {PYTHON_IMAGE}
            script: |
              import json
              total = {{{{ outputs.shell.vars.total }}}}
              print("::" + json.dumps({{"outputs": {{"doubled": total * 2}}}}) + "::")
          - id: commands
            type: io.kestra.plugin.scripts.shell.Commands
            containerImage: {SHELL_IMAGE}
            beforeCommands: ["export GREETING=hi"]
            commands:
              - 'echo "$GREETING {{{{ outputs.python.vars.doubled }}}}"'
    """)

    execution = scenario.execution(flow).ends("SUCCESS")

    assert execution.outputs("shell")["vars"] == {"total": 42, "who": "World", "late": True}
    assert execution.outputs("shell")["exitCode"] == 0
    assert execution.outputs("python")["vars"] == {"doubled": 84}
    (pod,) = execution.pods("commands")
    assert "hi 84" in scenario.kubernetes.log(scenario.namespace, pod["metadata"]["name"])


def test_a_script_runs_in_the_users_image_as_it_is(scenario: Scenario) -> None:
    flow = scenario.flow(f"""
        id: plain
        namespace: company.team
        tasks:
          - id: shell
            type: io.kestra.plugin.scripts.shell.Script
            containerImage: nobody.example/wrong
            taskRunner:
              type: io.kestra.plugin.scripts.runner.docker.Docker
              image: {SHELL_IMAGE}
              pullPolicy: NEVER
              memory: {{memory: 64MB}}
              networkMode: host
            script: "true"
    """)
    assert any("networkMode" in warning for warning in flow.body["status"]["warnings"])

    execution = scenario.execution(flow).ends("SUCCESS")

    (pod,) = execution.pods("shell")
    spec = pod["spec"]
    assert "initContainers" not in spec
    assert [container["image"] for container in spec["containers"]] == [SHELL_IMAGE]
    assert spec["containers"][0]["imagePullPolicy"] == "Never"
    assert "memory" in spec["containers"][0]["resources"]["limits"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    (job,) = execution.jobs()
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["podReplacementPolicy"] == "Failed"
    assert job["spec"]["ttlSecondsAfterFinished"] > 0


@pytest.mark.long
def test_outputs_of_a_megabyte_come_back_after_sixty_megabytes_of_log(
    scenario: Scenario,
) -> None:
    flow = scenario.flow(f"""
        id: large
        namespace: company.team
        tasks:
          - id: noisy
            type: io.kestra.plugin.scripts.shell.Script
            containerImage: {SHELL_IMAGE}
            script: |
              big=$(head -c 700000 /dev/zero | tr '\\0' 'x')
              echo "::{{\\"outputs\\":{{\\"big\\":\\"$big\\"}}}}::"
              yes "$(printf '%0200d' 0)" | head -c 60000000
              echo done
          - id: size
            type: io.kestra.plugin.core.debug.Return
            format: "{{{{ outputs.noisy.vars.big | length }}}}"
    """)

    execution = scenario.execution(flow).ends("SUCCESS", seconds=240)

    assert execution.outputs("size") == {"value": "700000"}
    assert execution.run("noisy")["outputsRef"]["bytes"] > 700_000
    assert len(json.dumps(execution.body)) < 50_000
    for pod in execution.pods():
        scenario.kubernetes.core.delete_namespaced_pod(pod["metadata"]["name"], scenario.namespace)
    assert execution.outputs("noisy")["vars"]["big"] == "x" * 700_000


def test_a_failing_task_runs_errors_and_finally(scenario: Scenario) -> None:
    flow = scenario.flow(f"""
        id: failing
        namespace: company.team
        tasks:
          - id: breaks
            type: io.kestra.plugin.scripts.shell.Script
            containerImage: {SHELL_IMAGE}
            script: exit 3
          - {{id: never, type: io.kestra.plugin.core.log.Log, message: never}}
        errors:
          - {{id: alert, type: io.kestra.plugin.core.log.Log, message: "it broke"}}
        finally:
          - {{id: clean, type: io.kestra.plugin.core.log.Log, message: "clean"}}
    """)

    execution = scenario.execution(flow).ends("FAILED")

    execution.ran("breaks", "alert", "clean").has_one_job_for_each_attempt()
    attempt = execution.run("breaks")["attempts"][0]
    assert attempt["exitCode"] == 3
    assert "exit code 3" in execution.status["message"]
    stalled = execution.condition("Stalled")
    assert stalled is not None and stalled["status"] == "True"
    execution.reports("TaskFailed")


def test_retries_make_exactly_the_attempts_they_should(scenario: Scenario) -> None:
    flow = scenario.flow(f"""
        id: retries
        namespace: company.team
        tasks:
          - id: third-time
            type: io.kestra.plugin.scripts.shell.Script
            containerImage: {SHELL_IMAGE}
            script: 'test "{{{{ taskrun.attemptsCount }}}}" = 2'
            retry: {{type: constant, interval: PT0.5S, maxAttempts: 5}}
          - id: never
            type: io.kestra.plugin.core.execution.Fail
            retry: {{type: exponential, interval: PT0.2S, maxInterval: PT1S, maxAttempts: 3}}
    """)

    execution = scenario.execution(flow).ends("FAILED")

    assert [a["state"] for a in execution.run("third-time")["attempts"]] == [
        "FAILED",
        "FAILED",
        "SUCCESS",
    ]
    assert len(execution.run("never")["attempts"]) == 3
    execution.has_one_job_for_each_attempt()
    assert len(execution.jobs()) == 6


@pytest.mark.long
def test_a_loop_of_24_never_runs_more_than_its_limit(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: loop
        namespace: company.team
        tasks:
          - id: each
            type: io.kestra.plugin.core.flow.ForEach
            values: "{{ range(1, 24) }}"
            concurrencyLimit: 8
            tasks:
              - {id: work, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
    """)
    live: set[str] = set()
    most = 0

    execution = scenario.execution(flow)
    for kind, pod in scenario.kubernetes.watch_pods(scenario.namespace, 110):
        name = pod["metadata"]["name"]
        live = live - {name} if kind == "DELETED" or has_ended(pod) else live | {name}
        most = max(most, len(live))
        if execution.status.get("state") in ("SUCCESS", "FAILED"):
            break

    execution.ends("SUCCESS")
    assert len(execution.runs("work")) == 24
    assert 2 <= most <= 8
    assert execution.outputs("work", "17") == {"value": "17"}


def test_two_executions_of_one_flow_do_not_mix(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: twice
        namespace: company.team
        inputs: [{id: who, type: STRING}]
        tasks:
          - {id: a, type: io.kestra.plugin.core.debug.Return, format: "{{ inputs.who }}"}
          - {id: b, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.a.value }}!"}
    """)

    first = scenario.execution(flow, {"who": "one"})
    second = scenario.execution(flow, {"who": "two"})

    assert first.ends("SUCCESS").outputs("b") == {"value": "one!"}
    assert second.ends("SUCCESS").outputs("b") == {"value": "two!"}
    assert not {job["metadata"]["name"] for job in first.jobs()} & {
        job["metadata"]["name"] for job in second.jobs()
    }


def test_a_task_that_takes_too_long_is_stopped(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: slow
        namespace: company.team
        tasks:
          - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT5M, timeout: PT2S}
    """)

    execution = scenario.execution(flow).ends("FAILED")

    attempt = execution.run("sleep")["attempts"][0]
    assert attempt["reason"] == "Timeout"
    assert "PT2S" in attempt["message"]


def test_deleting_an_execution_deletes_its_jobs(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: deleted
        namespace: company.team
        tasks:
          - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT5M}
    """)
    execution = scenario.execution(flow)
    scenario.eventually("a pod", execution.pods)

    scenario.kubernetes.delete("executions", scenario.namespace, execution.name)

    scenario.eventually("the Jobs gone", lambda: not scenario.kubernetes.jobs(scenario.namespace))
    scenario.eventually("the pods gone", lambda: not scenario.kubernetes.pods(scenario.namespace))


def test_a_running_execution_outlives_its_flow(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: leaves
        namespace: company.team
        tasks:
          - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT3S}
          - {id: after, type: io.kestra.plugin.core.debug.Return, format: still here}
    """)
    execution = scenario.execution(flow)
    scenario.eventually("a pod", execution.pods)

    scenario.kubernetes.delete("flows", scenario.namespace, flow.name)

    assert execution.ends("SUCCESS").outputs("after") == {"value": "still here"}
    scenario.eventually(
        "the flow's revisions gone", lambda: not scenario.kubernetes.revisions(scenario.namespace)
    )


def test_tasks_that_the_controller_does_itself_make_no_job(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: instant
        namespace: company.team
        variables: {n: 1}
        tasks:
          - {id: label, type: io.kestra.plugin.core.execution.Labels, labels: {team: blue}}
          - id: count
            type: io.kestra.plugin.core.execution.SetVariables
            variables: {n: "{{ vars.n + 1 }}"}
          - id: dag
            type: io.kestra.plugin.core.flow.Dag
            tasks:
              - task: {id: b, type: io.kestra.plugin.core.debug.Return, format: "{{ vars.n }}"}
                dependsOn: [a]
              - task: {id: a, type: io.kestra.plugin.core.debug.Return, format: first}
          - id: assert
            type: io.kestra.plugin.core.execution.Assert
            conditions: ["{{ outputs.b.value == '2' }}"]
          - {id: stop, type: io.kestra.plugin.core.execution.Exit, state: WARNING}
          - {id: never, type: io.kestra.plugin.core.log.Log, message: never}
    """)

    execution = scenario.execution(flow).ends("WARNING")

    assert execution.status["labels"]["team"] == "blue"
    assert execution.outputs("b") == {"value": "2"}
    assert [run["taskId"] for run in execution.runs("never")] == []
    assert len(execution.jobs()) == 2


def test_an_execution_is_killed_by_a_patch(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: killed
        namespace: company.team
        tasks:
          - id: both
            type: io.kestra.plugin.core.flow.Parallel
            tasks:
              - {id: one, type: io.kestra.plugin.core.flow.Sleep, duration: PT5M}
              - {id: two, type: io.kestra.plugin.core.flow.Sleep, duration: PT5M}
        errors:
          - {id: alert, type: io.kestra.plugin.core.log.Log, message: not for a kill}
    """)
    execution = scenario.execution(flow)
    scenario.eventually("both pods", lambda: len(execution.pods()) == 2)

    patch = {"spec": {"kill": True}}
    scenario.kubernetes.patch("executions", scenario.namespace, execution.name, patch)

    execution.ends("KILLED")
    assert execution.states() == {"both": "KILLED", "one": "KILLED", "two": "KILLED"}
    scenario.eventually("the Jobs gone", lambda: not execution.jobs())
    scenario.eventually("the pods gone", lambda: not scenario.kubernetes.pods(scenario.namespace))
