"""The tasks of a WorkingDirectory: one pod, one after the other, one directory."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
import yaml

from e2e.fixtures.controller import Controller
from e2e.fixtures.kubernetes import Object
from e2e.fixtures.scenario import SHELL_IMAGE, ExecutionView, Scenario
from penstock.kubernetes.observation.podstatus import container_name

pytestmark = pytest.mark.cluster

PYTHON_IMAGE = "penstock.local/python:3"


def shell(task: str, *commands: str, **properties: Any) -> dict[str, Any]:
    """A task of shell commands."""
    return {
        "id": task,
        "type": "io.kestra.plugin.scripts.shell.Commands",
        "containerImage": SHELL_IMAGE,
        "commands": list(commands),
        **properties,
    }


def directory(*tasks: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {
        "id": "here",
        "type": "io.kestra.plugin.core.flow.WorkingDirectory",
        "tasks": list(tasks),
        **properties,
    }


def begin(scenario: Scenario, *tasks: dict[str, Any], **flow: Any) -> ExecutionView:
    spec = {"id": "w", "namespace": "company.team", "tasks": list(tasks), **flow}
    return scenario.execution(scenario.flow(yaml.safe_dump(spec, allow_unicode=True)))


def of_directory(execution: ExecutionView) -> list[Object]:
    """The pods of directories, whatever ran in them."""
    label = "penstock.dev/working-directory"
    return [pod for pod in execution.pods() if label in pod["metadata"]["labels"]]


def test_all_tasks_run_in_one_pod_in_order(scenario: Scenario) -> None:
    # given
    text = "long " * 30_000  # longer than an argument may be
    tasks = directory(
        shell("first", "cat given.txt > made.txt", 'echo "::{\\"outputs\\": {\\"n\\": 6}}::"'),
        {
            "id": "second",
            "type": "io.kestra.plugin.scripts.python.Script",
            "containerImage": PYTHON_IMAGE,
            "script": "import os\n"
            "n = {{ outputs.first.vars.n }} * 7\n"
            "open('made.txt', 'a').write(f' and {n}')\n"
            "print('::{\"outputs\": {\"long\": %d}}::' % os.path.getsize('long.txt'))\n",
            "inputFiles": {"long.txt": text},
        },
        {
            "id": "third",
            "type": "io.kestra.plugin.core.debug.Return",
            "format": "{{ outputs.second.vars.long }}",
        },
        shell("fourth", "cat made.txt; pwd", outputFiles=["made.txt"]),
        inputFiles={"given.txt": "given"},
        outputFiles=["made.txt"],
    )
    # when
    execution = begin(
        scenario, tasks, shell("after", "cat {{ outputs.here.outputFiles['made.txt'] }}")
    )
    execution.ends("SUCCESS")
    # then
    (pod,) = of_directory(execution)
    assert len(execution.pods()) == 2
    jobs = {run["taskId"]: run["attempts"][-1]["job"] for run in execution.status["taskRuns"]}
    own = pod["metadata"]["labels"]["job-name"]
    assert jobs == dict.fromkeys(("here", "first", "second", "third", "fourth"), own) | {
        "after": jobs["after"]
    }
    assert execution.outputs("third") == {"value": str(len(text))}
    assert execution.log("fourth") == "given and 42/penstock/work\n"
    assert execution.log("after") == "given and 42"
    assert list(execution.outputs("fourth")["outputFiles"]) == ["made.txt"]
    # and the pod ends, with nothing of it in the way of Pod Security
    scenario.eventually("the end of the pod", lambda: _phase(execution) == "Succeeded")
    assert pod["spec"]["automountServiceAccountToken"] is False


def _phase(execution: ExecutionView) -> str:
    (pod,) = of_directory(execution)
    phase: str = pod["status"]["phase"]
    return phase


def test_a_retry_and_a_limit_leave_the_directory(scenario: Scenario) -> None:
    # given
    tasks = directory(
        shell(
            "twice",
            "if [ ! -f tried ]; then touch tried; exit 4; fi; echo again",
            retry={"type": "constant", "interval": "PT0.1S", "maxAttempts": 2},
        ),
        shell(
            "late",
            "trap 'echo told > told; exit 1' TERM",
            "touch begun; while :; do sleep 0.1; done",
            timeout="PT2S",
            allowFailure=True,
        ),
        {
            "id": "sleepy",
            "type": "io.kestra.plugin.core.flow.Sleep",
            "duration": "PT1M",
            "timeout": "PT1S",
            "allowFailure": True,
        },
        shell("last", "ls", "exit 5"),
        shell("never", "true"),
    )
    # when
    execution = begin(scenario, tasks).ends("FAILED")
    # then
    assert len(execution.pods()) == 1
    assert [attempt["state"] for attempt in execution.run("twice")["attempts"]] == [
        "FAILED",
        "SUCCESS",
    ]
    for task, said in (("late", "Timeout after PT2S"), ("sleepy", "Timeout after PT1S")):
        (attempt,) = execution.run(task)["attempts"]
        assert (attempt["reason"], attempt["message"]) == ("Timeout", said)
        assert execution.run(task)["state"] == "WARNING"
    assert execution.log("last").split() == ["begun", "told", "tried"]
    assert execution.run("last")["attempts"][-1]["message"] == "exit code 5"
    assert [run["taskId"] for run in execution.status["taskRuns"]][-1] == "last"


def test_what_one_task_uses_too_much_of_is_told(scenario: Scenario) -> None:
    # given
    limited = {
        "type": "io.kestra.plugin.ee.kubernetes.runner.Kubernetes",
        "resources": {"limit": {"memory": "32Mi"}},
    }
    tasks = directory(
        shell("small", "true", taskRunner=limited),
        shell("large", "head -c 300m /dev/zero | tail > x", taskRunner=limited, allowFailure=True),
        shell(
            "image",
            "true",
            containerImage="penstock.local/none:1",
            taskRunner=limited | {"pullPolicy": "NEVER"},
        ),
    )
    # when
    execution = begin(scenario, tasks).ends("FAILED", 90)
    # then
    assert execution.run("large")["attempts"][-1]["message"].startswith("OOMKilled at 96Mi")
    assert "penstock.local/none:1" in execution.run("image")["attempts"][-1]["message"]


@pytest.mark.parametrize("text", ["{{ secret('NONE') }}", "{{ secret('NONE') | upper }}"])
def test_a_secret_that_is_missing_is_told_at_once(scenario: Scenario, text: str) -> None:
    # given
    tasks = directory(shell("first", "true"), shell("second", f"echo {text}"))
    # when
    execution = begin(scenario, tasks).ends("FAILED", 30)
    # then
    (attempt,) = execution.run("second")["attempts"]
    assert attempt["reason"] == "SecretMissing"
    assert "penstock-secrets" in attempt["message"]


def test_values_of_many_tasks_come_whole(scenario: Scenario) -> None:
    """A kubelet shares 12 KiB for messages among all containers of a pod."""
    # given
    say = 'echo "::{\\"outputs\\": {\\"x\\": \\"$(head -c 1500 /dev/zero | tr \'\\0\' a)\\"}}::"'
    tasks = [shell(f"t{n}", say, "touch made", outputFiles=["made"]) for n in range(5)]
    core = {
        "id": "core",
        "type": "io.kestra.plugin.core.debug.Return",
        "format": "{{ outputs.t4.vars.x ~ outputs.t3.vars.x }}",
    }
    # when
    execution = begin(scenario, directory(*tasks, core)).ends("SUCCESS", 60)
    # then
    for task in tasks:
        assert execution.outputs(task["id"])["vars"] == {"x": "a" * 1500}
    assert execution.outputs("core") == {"value": "a" * 3000}


def test_a_directory_that_is_lost_is_made_anew(scenario: Scenario) -> None:
    # given
    tasks = directory(
        shell("first", "echo $RANDOM > made"), shell("second", "cat made", "sleep 20")
    )
    execution = begin(scenario, tasks)
    scenario.eventually("the second task", lambda: _is_running(execution, "second"))
    (pod,) = of_directory(execution)
    # when: as a drained node does it
    name = pod["metadata"]["name"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": scenario.namespace},
    }
    scenario.kubernetes.core.create_namespaced_pod_eviction(name, scenario.namespace, eviction)
    execution.ends("SUCCESS", 90)
    # then
    (lost,) = execution.run("here")["attempts"]
    assert (lost["state"], lost["reason"]) == ("RESUBMITTED", "DirectoryLost")
    assert len(execution.run("first")["attempts"]) == 1
    assert execution.log("second").strip().isdigit()


def _is_running(execution: ExecutionView, task: str) -> bool:
    return any(
        "running" in status["state"]
        for pod in execution.pods(task)
        for status in pod["status"]["containerStatuses"]
    )


@pytest.mark.alone("kills the controller")
def test_a_killed_controller_goes_on_in_the_same_pod(
    scenario: Scenario, controller: Controller
) -> None:
    # given
    tasks = directory(
        shell("first", "echo 1 >> made", "sleep 3"),
        shell("second", "echo 2 >> made", "sleep 3"),
        shell("third", "cat made"),
        outputFiles=["made"],
    )
    execution = begin(scenario, tasks)
    # when
    for task in ("first", "second"):
        scenario.eventually("the task", partial(_is_running, execution, task))
        controller.kill()
    execution.ends("SUCCESS", 90)
    # then
    assert len(execution.pods()) == 1
    assert execution.log("third") == "1\n2\n"
    assert {len(run["attempts"]) for run in execution.status["taskRuns"]} == {1}


def test_tasks_that_want_places_of_their_own_have_pods_of_their_own(scenario: Scenario) -> None:
    # given
    runner = {
        "type": "io.kestra.plugin.ee.kubernetes.runner.Kubernetes",
        "nodeSelector": {"kubernetes.io/os": "linux"},
    }
    tasks = directory(
        shell("first", "echo hello > made", taskRunner=runner), shell("second", "cat made")
    )
    # when
    execution = begin(scenario, tasks).ends("SUCCESS", 60)
    # then
    assert len(execution.pods()) == 2
    assert execution.log("second") == "hello\n"


def test_nothing_of_a_directory_runs_on_after_a_kill(scenario: Scenario) -> None:
    # given
    execution = begin(scenario, directory(shell("first", "sleep 300")))
    scenario.eventually("the task", lambda: _is_running(execution, "first"))
    # when
    execution.patched({"kill": True}).ends("KILLED")
    # then
    scenario.eventually("the end of the pod", lambda: not execution.pods())


def test_a_task_has_neither_a_grant_nor_the_end_of_the_pod(scenario: Scenario) -> None:
    # given
    tasks = directory(
        shell(
            "spy", "env | cut -d= -f1 | sort > names; ls / > root; ls /penstock-end || echo none"
        ),
        shell("told", "cat names", outputFiles=["names"]),
    )
    # when
    execution = begin(scenario, tasks).ends("SUCCESS")
    # then
    (pod,) = execution.pods("spy")
    (own,) = pod["spec"]["containers"]
    mounted = [mount["name"] for mount in own["volumeMounts"]]
    assert mounted == ["work"]
    names = execution.log("told").split()
    assert "PENSTOCK_STORAGE_GRANT" not in names
    assert json.loads(own["env"][0]["value"])["labels"]["penstock.dev/attempt"] == "1"
    assert container_name(pod).startswith("spy-")
