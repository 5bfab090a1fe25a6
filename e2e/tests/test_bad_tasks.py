"""A fault of a task ends it with a reason that names the cause, within a bounded time."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import Any

import pytest

from e2e.fixtures.kubernetes import wait_for
from e2e.fixtures.scenario import PYTHON_IMAGE, SHELL_IMAGE, ExecutionView, Scenario

pytestmark = pytest.mark.cluster

SHELL = "io.kestra.plugin.scripts.shell"
RUNNER = "io.kestra.plugin.ee.kubernetes.runner.Kubernetes"

FAILING = {
    "not-valid": ("failFast: \"{{ 'perhaps' }}\"", "InvalidTask", ["property `failFast`"]),
    "not-rendered": ('env: {A: "{{ nowhere.to.be.found }}"}', None, ["nowhere"]),
    "env-name": ('env: {"A=B": x}', "InvalidTask", ["`A=B` is not the name of a variable"]),
    "nul": ("env: {A: \"{{ 'AA==' | base64decode }}\"}", "InvalidTask", ["`env.A`", "NUL"]),
    "host-path": (
        f"taskRunner: {{type: {RUNNER}, volumes: [{{name: x, hostPath: {{path: /}}}}]}}",
        "InvalidTask",
        ["taskRunner.volumes[0]", "hostPath"],
    ),
    "image-name": ("containerImage: 'Not An Image'", "InvalidImageName", ["Not An Image"]),
    "no-image": (
        f"taskRunner: {{type: {RUNNER}, image: 'penstock.local/no/such:1',"
        " waitUntilRunning: PT8S}",
        ("ErrImagePull", "ImagePullBackOff"),
        ["not started within 8 s", "penstock.local/no/such:1"],
    ),
    "no-node": (
        f"taskRunner: {{type: {RUNNER}, nodeSelector: {{no: such}}, waitUntilRunning: PT5S}}",
        "Unschedulable",
        ["not started within 5 s", "node"],
    ),
    "no-claim": (
        f"taskRunner: {{type: {RUNNER}, waitUntilRunning: PT5S,"
        " volumes: [{name: x, persistentVolumeClaim: {claimName: absent}}]}",
        "Unschedulable",
        ['persistentvolumeclaim "absent" not found'],
    ),
    "no-config": (
        f"taskRunner: {{type: {RUNNER}, waitUntilRunning: PT5S,"
        " volumes: [{name: x, configMap: {name: absent}}],"
        " volumeMounts: [{name: x, mountPath: /x}]}",
        "FailedMount",
        ["not started within 5 s", 'configmap "absent" not found'],
    ),
    "no-account": (
        f"taskRunner: {{type: {RUNNER}, serviceAccountName: absent}}",
        "PodRefused",
        ['serviceaccount "absent" not found'],
    ),
    "not-a-size": (
        f"taskRunner: {{type: {RUNNER}, resources: {{limit: {{memory: lots}}}}}}",
        None,
        ["the Job was refused", "quantit"],
    ),
    "exit-code": ("commands: [exit 7]", "ExitCode", ["exit code 7"]),
    "signal": ("commands: ['kill -9 $$']", "ExitCode", ["exit code 137 (SIGKILL)"]),
    "no-command": ("commands: [nosuchcommand]", "ExitCode", ["exit code 127 (the command was not"]),
    # Its folder is hidden, as if the image had none.
    "no-shell": (
        f"taskRunner: {{type: {RUNNER}, volumes: [{{name: x, emptyDir: {{}}}}],"
        " volumeMounts: [{name: x, mountPath: /bin}]}",
        "StartError",
        ["the image has no `/bin/sh`"],
    ),
    "not-writable": ("commands: ['echo x >/etc/passwd']", "ExitCode", ["exit code"]),
    "too-large": (
        'commands: [\'printf "::{\\"outputs\\":{\\"a\\":\\"";'
        ' head -c 2000000 /dev/zero | tr "\\\\0" x; printf "\\"}}::"\']',
        "InvalidOutputs",
        ["1 MiB"],
    ),
}


def test_each_failure_names_its_cause(scenario: Scenario) -> None:
    # given: all of them side by side, so that the longest wait is the test's
    tasks = "".join(_task(name, text) for name, (text, _, _) in FAILING.items())
    flow = scenario.flow(
        "id: failing\nnamespace: company.team\ntasks:\n"
        f"  - id: all\n    type: io.kestra.plugin.core.flow.Parallel\n    tasks:\n{tasks}"
    )
    # when
    execution = scenario.execution(flow).ends("WARNING", seconds=120)
    # then
    told = {name: _attempt(execution, name) for name in FAILING}
    wrong = {
        name: told[name]
        for name, (_, reason, words) in FAILING.items()
        if told[name]["state"] != "FAILED"
        or (reason is not None and told[name]["reason"] not in (reason, *reason))
        or not all(word in told[name]["message"] for word in words)
    }
    assert wrong == {}


def _task(name: str, text: str) -> str:
    lines = [f"- id: {name}", f"  type: {SHELL}.Commands", "  allowFailure: true", f"  {text}"]
    if "containerImage:" not in text:
        lines.append(f"  containerImage: {SHELL_IMAGE}")
    if "commands:" not in text:
        lines.append("  commands: ['true']")
    return indent("\n".join(lines), "      ") + "\n"


def _attempt(execution: ExecutionView, task: str) -> dict[str, Any]:
    (attempt,) = execution.run(task)["attempts"]
    return {"reason": None, "message": "", **attempt}


def test_memory_beyond_the_limit_is_told_with_the_limit(scenario: Scenario) -> None:
    # given
    flow = scenario.flow(f"""
        id: greedy
        namespace: company.team
        tasks:
          - id: greedy
            type: io.kestra.plugin.scripts.python.Script
            containerImage: {PYTHON_IMAGE}
            taskRunner:
              type: {RUNNER}
              resources: {{limit: {{memory: 64Mi}}}}
            script: x = b"x" * 500_000_000
    """)
    # when
    execution = scenario.execution(flow).ends("FAILED")
    # then
    attempt = _attempt(execution, "greedy")
    assert (attempt["reason"], attempt["message"]) == ("OOMKilled", "OOMKilled at 64Mi")


def test_output_that_nobody_can_read_fails_nothing(scenario: Scenario) -> None:
    # given
    script = dedent(r"""
        printf 'caf\351 \377\376 \0 ::{"outputs":{"kept":1}}::\n'
        echo '::{"outputs":{"broken": nope}}::'
        echo '::{"outputs":[]}::'
        echo '::{"outputs"'
    """)
    flow = scenario.flow(
        "id: unreadable\nnamespace: company.team\ntasks:\n"
        f"  - id: odd\n    type: {SHELL}.Script\n    containerImage: {SHELL_IMAGE}\n"
        f"    script: |\n{indent(script, '      ')}"
    )
    # when
    execution = scenario.execution(flow).ends("SUCCESS")
    # then
    assert execution.outputs("odd")["vars"] == {"kept": 1}
    assert "ignored a malformed ::{…}:: line" in _attempt(execution, "odd")["message"]


@pytest.mark.parametrize("what", ["pods", "count/jobs.batch"])
def test_a_quota_is_told_and_waited_for(scenario: Scenario, what: str) -> None:
    # given: no room
    core, namespace = scenario.kubernetes.core, scenario.namespace
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {what: "0"}}}
    core.create_namespaced_resource_quota(namespace, quota)
    wait_for(
        "the quota counted",
        lambda: core.read_namespaced_resource_quota("none", namespace).status.hard,
    )
    flow = scenario.flow(f"""
        id: crowded
        namespace: company.team
        tasks:
          - id: impatient
            type: {SHELL}.Commands
            containerImage: {SHELL_IMAGE}
            allowFailure: true
            taskRunner: {{type: {RUNNER}, waitUntilRunning: PT8S}}
            commands: ["true"]
          - id: patient
            type: {SHELL}.Commands
            containerImage: {SHELL_IMAGE}
            commands: ["true"]
    """)
    # when
    execution = scenario.execution(flow)
    wait_for("the patient task", lambda: execution.runs("patient"))
    core.delete_namespaced_resource_quota("none", namespace)
    # then
    execution.ends("WARNING", seconds=90)
    attempt = _attempt(execution, "impatient")
    assert attempt["reason"] == "QuotaExceeded"
    assert "exceeded quota: none" in attempt["message"]


def test_a_limit_of_the_namespace_ends_the_task_at_once(scenario: Scenario) -> None:
    # given
    limits = {
        "metadata": {"name": "small"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "64Mi"}}]},
    }
    scenario.kubernetes.core.create_namespaced_limit_range(scenario.namespace, limits)
    flow = scenario.flow(f"""
        id: large
        namespace: company.team
        tasks:
          - id: large
            type: {SHELL}.Commands
            containerImage: {SHELL_IMAGE}
            taskRunner:
              type: {RUNNER}
              resources: {{limit: {{memory: 1Gi}}}}
            commands: ["true"]
    """)
    # when: the pending timeout is 10 minutes
    execution = scenario.execution(flow).ends("FAILED", seconds=30)
    # then
    attempt = _attempt(execution, "large")
    assert attempt["reason"] == "PodRefused"
    assert "maximum memory usage per Container is 64Mi" in attempt["message"]
