"""The Job of an attempt, down to its fields, and its name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.interface.actions import StartAttempt
from penstock.kubernetes.jobs.job import (
    JobDefaults,
    JobObjects,
    Owner,
    build_job,
    job_name,
    matches,
)
from penstock.kubernetes.pods.podspec import literal
from penstock.kubernetes.pods.prelude import PRELUDE
from penstock.resources.names import label_value
from penstock.tasks.contract.task import CORE, SCRIPT, Container, Resources, TaskFailure
from penstock.tasks.registry.definitions import container

LOG = "io.kestra.plugin.core.log.Log"
COMMANDS = "io.kestra.plugin.scripts.shell.Commands"
PYTHON = "io.kestra.plugin.scripts.python.Script"
OWNER = Owner("flow-abc", "team", "11111111-2222-3333-4444-555555555555")
Starter = Callable[..., StartAttempt]


def build(
    start: StartAttempt, defaults: JobDefaults | None = None, owner: Owner = OWNER
) -> JobObjects:
    what = container(start.task.type, start.properties)
    return build_job(start, owner, what, defaults or JobDefaults(image="penstock:1"))


def test_the_job_of_a_log(starting: Starter) -> None:
    # when
    made = build(starting(LOG, {"message": "costs $(X) $5"}, timeout=timedelta(seconds=1.5)))
    # then
    labels = {
        "penstock.dev/execution": "flow-abc",
        "penstock.dev/execution-uid": OWNER.uid,
        "penstock.dev/task": "hello",
        "penstock.dev/task-run": "run1",
        "penstock.dev/attempt": "1",
        "app.kubernetes.io/managed-by": "penstock",
    }
    task = f'{{"type":"{LOG}","properties":{{"message":"costs $$(X) $$5","level":"INFO"}}}}'
    told = {"penstock.dev/execution-name": "flow-abc", "penstock.dev/task-id": "hello"}
    spec_hash = made.job["metadata"]["annotations"]["penstock.dev/spec-hash"]
    name = made.job["metadata"]["name"]
    assert re.fullmatch(r"flow-abc-hello-[a-z2-7]{16}", name)
    assert made.config_map is None
    assert made.job == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": "team",
            "labels": labels,
            "annotations": {
                "argocd.argoproj.io/ignore-resource-updates": "true",
                "penstock.dev/spec-hash": spec_hash,
                **told,
            },
            "ownerReferences": [
                {
                    "apiVersion": "penstock.dev/v1alpha1",
                    "kind": "Execution",
                    "name": "flow-abc",
                    "uid": OWNER.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    }
                ]
            },
            "ttlSecondsAfterFinished": 3600,
            "activeDeadlineSeconds": 602,
            "template": {
                "metadata": {"labels": labels, "annotations": told},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 10,
                    "activeDeadlineSeconds": 2,
                    "securityContext": {
                        "seccompProfile": {"type": "RuntimeDefault"},
                        "runAsUser": 65532,
                        "runAsGroup": 65532,
                        "runAsNonRoot": True,
                    },
                    "containers": [
                        {
                            "name": "task",
                            "image": "penstock:1",
                            "command": ["python", "-I", "-m", "penstock.tasks.pod.main"],
                            "env": [{"name": "PENSTOCK_TASK", "value": task}],
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                                "readOnlyRootFilesystem": True,
                            },
                            "terminationMessagePath": "/dev/termination-log",
                            "terminationMessagePolicy": "File",
                        }
                    ],
                },
            },
        },
    }


def test_a_core_task_is_told_which_of_its_log_lines_to_drop(starting: Starter) -> None:
    start = starting(LOG, {"message": "hello"})
    task = start.task.model_copy(update={"log_level": "WARN"})

    made = build(replace(start, task=task))

    environment = made.job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "PENSTOCK_LOG_LEVEL", "value": "WARN"} in environment


def test_the_pod_of_a_python_script(starting: Starter) -> None:
    # when
    made = build(starting(PYTHON, {"script": "print('$(date) $$')", "env": {"A": "$(HOME)"}}))
    # then
    spec = made.job["spec"]["template"]["spec"]
    assert "activeDeadlineSeconds" not in spec
    assert "activeDeadlineSeconds" not in made.job["spec"]
    assert spec["volumes"] == [{"name": "work", "emptyDir": {}}]
    (main,) = spec["containers"]
    assert main["image"] == "python:3.13-slim"
    assert main["imagePullPolicy"] == "IfNotPresent"
    assert main["workingDir"] == "/penstock"
    assert main["volumeMounts"] == [{"name": "work", "mountPath": "/penstock"}]
    assert main["command"] == ["/bin/sh", "-c", PRELUDE.replace("$", "$$"), "penstock"]
    assert main["args"][:6] == [
        "/penstock",
        "/dev/termination-log",
        "/penstock/run",
        "-f",
        "script.py",
        "print('$$(date) $$$$')",
    ]
    assert main["args"][6:9] == ["--", "/bin/sh", "-c"]
    assert main["env"] == [
        {"name": "HOME", "value": "/penstock/home"},
        {"name": "TMPDIR", "value": "/penstock/tmp"},
        {"name": "WORKING_DIR", "value": "/penstock/work"},
        {"name": "PYTHONUNBUFFERED", "value": "1"},
        {"name": "PIP_DISABLE_PIP_VERSION_CHECK", "value": "1"},
        {"name": "A", "value": "$$(HOME)"},
    ]
    assert "readOnlyRootFilesystem" not in main["securityContext"]


def expand(text: str, variables: dict[str, str]) -> str:
    """Expand a text as the kubelet does in command lines and the environment."""

    def one(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", one, text)


@given(st.text(alphabet="$()NAME x"))
def test_the_kubelet_expands_nothing_in_text_of_the_user(text: str) -> None:
    assert expand(literal(text), {"NAME": "no", "A": "no", "": "no"}) == text


def test_long_files_come_in_a_config_map(starting: Starter) -> None:
    # when
    made = build(
        starting(
            COMMANDS, {"commands": ["x"], "inputFiles": {"a b": "$" * 70_000, "c": "y" * 70_000}}
        )
    )
    # then
    assert made.config_map is not None
    assert made.config_map["data"] == {"file-0": "$" * 70_000, "file-1": "y" * 70_000}
    assert made.config_map["immutable"] is True
    assert made.config_map["metadata"] == made.job["metadata"]
    spec = made.job["spec"]["template"]["spec"]
    assert spec["volumes"][1]["configMap"] == {"name": made.job["metadata"]["name"]}
    args = spec["containers"][0]["args"]
    assert args[3:9] == [
        "-c",
        "a b",
        "/penstock-files/file-0",
        "-c",
        "c",
        "/penstock-files/file-1",
    ]


def test_a_long_core_task_comes_in_a_config_map(starting: Starter) -> None:
    # when
    made = build(starting(LOG, {"message": "$" * 200_000}))
    # then
    assert made.config_map is not None
    task = json.loads(made.config_map["data"]["task.json"])
    assert task["properties"]["message"] == "$" * 200_000
    (main,) = made.job["spec"]["template"]["spec"]["containers"]
    assert main["env"] == [{"name": "PENSTOCK_TASK_FILE", "value": "/penstock-files/task.json"}]


def test_defaults_of_the_administrator(starting: Starter) -> None:
    # given
    defaults = JobDefaults.from_mapping(
        {
            "image": "own:2",
            "imagePullPolicy": "Never",
            "imagePullSecrets": ["pull"],
            "scriptUser": None,
            "resources": {"requests": {"cpu": "10m", "memory": "1Gi"}},
            "nodeSelector": {"pool": "jobs"},
            "tolerations": [{"key": "jobs", "operator": "Exists"}],
            "serviceAccountName": "worker",
            "priorityClassName": "low",
            "ttlSecondsAfterFinished": 5,
        }
    )
    runner = {
        "type": "io.kestra.plugin.scripts.runner.docker.Docker",
        "memory": {"memory": "64MB"},
    }
    # when
    made = build(starting(COMMANDS, {"commands": ["x"], "taskRunner": runner}), defaults)
    # then
    spec = made.job["spec"]["template"]["spec"]
    (main,) = spec["containers"]
    assert made.job["spec"]["ttlSecondsAfterFinished"] == 5
    assert spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert "securityContext" not in main
    assert main["resources"] == {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}}
    assert spec["nodeSelector"] == {"pool": "jobs"}
    assert spec["tolerations"] == [{"key": "jobs", "operator": "Exists"}]
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert (spec["serviceAccountName"], spec["priorityClassName"]) == ("worker", "low")
    assert "HOME" not in {item["name"] for item in main["env"]}


def test_a_flow_says_where_its_pods_run(starting: Starter) -> None:
    # given
    runner = {
        "type": "io.kestra.plugin.ee.kubernetes.runner.Kubernetes",
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "serviceAccountName": "worker",
        "resources": {"request": {"cpu": "50m"}, "limit": {"memory": "64Mi"}},
    }
    defaults = JobDefaults(
        image="penstock:1",
        node_selector={"zone": "a", "disk": "slow"},
        tolerations=({"key": "spot", "operator": "Exists"},),
        service_account_name="default-tasks",
    )
    # when
    made = build(starting(COMMANDS, {"commands": ["true"], "taskRunner": runner}), defaults)
    # then
    pod = made.job["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"zone": "a", "disk": "fast"}
    assert [toleration["key"] for toleration in pod["tolerations"]] == ["spot", "gpu"]
    assert pod["serviceAccountName"] == "worker"
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["resources"] == {
        "requests": {"cpu": "50m"},
        "limits": {"memory": "64Mi"},
    }


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="imag"):
        JobDefaults.from_mapping({"imag": "x"})
    assert JobDefaults.from_mapping({}).resources == Resources()


def test_the_runtime_of_a_container_says_which_image_it_is(starting: Starter) -> None:
    # given
    start = starting(LOG, {"message": "x"})
    chosen = {"image": "own:2", "runtimeImages": {"jdbc": "drivers:1"}}
    defaults = JobDefaults.from_mapping(chosen)
    images, pods = [], []
    for runtime in (CORE, "jdbc"):
        what = replace(container(LOG, {"message": "x"}), runtime=runtime)
        # when
        pod = build_job(start, OWNER, what, defaults).job["spec"]["template"]["spec"]
        # then
        images.append(pod["containers"][0].pop("image"))
        pods.append(pod)
    assert images == ["own:2", "drivers:1"]
    assert pods[0] == pods[1], "else it is a container of Penstock's programs as any other"


def test_a_runtime_that_nobody_names_an_image_for_is_refused_with_advice(
    starting: Starter,
) -> None:
    what = replace(container(LOG, {"message": "x"}), runtime="jdbc")
    with pytest.raises(TaskFailure, match=r"`jdbc`: .* in `settings.jobs.runtimeImages.jdbc`"):
        build_job(starting(LOG, {"message": "x"}), OWNER, what, JobDefaults())


@pytest.mark.parametrize(("runtime", "image"), [(SCRIPT, None), (CORE, "ubuntu")])
def test_a_script_names_an_image_and_nothing_else_does(runtime: str, image: str | None) -> None:
    with pytest.raises(ValueError, match="names its image"):
        Container(("true",), runtime=runtime, image=image)


def test_a_value_of_any_size_is_annotated(starting: Starter) -> None:
    made = build(starting(LOG, {"message": "x"}, value="v" * 5000))
    assert made.job["metadata"]["annotations"]["penstock.dev/value"] == "v" * 1024


def test_the_same_attempt_is_adopted_and_no_other(starting: Starter) -> None:
    # given
    mine = build(starting(LOG, {"message": "{{ now() }}"}, rendered={"message": "1"})).job
    again = build(starting(LOG, {"message": "{{ now() }}"}, rendered={"message": "2"})).job
    other_owner = build(
        starting(LOG, {"message": "{{ now() }}"}), owner=Owner("flow-abc", "team", "other")
    ).job
    edited = build(starting(LOG, {"message": "x"})).job
    # then
    assert mine["metadata"]["name"] == again["metadata"]["name"]
    assert matches(again, mine)
    assert not matches(other_owner, mine)
    assert not matches(edited, mine)
    assert not matches(build(starting(LOG, {"message": "{{ now() }}"}, attempt=2)).job, mine)


@pytest.mark.parametrize("foreign", [{}, {"metadata": {}}, {"metadata": {"annotations": None}}])
def test_a_foreign_job_is_not_adopted(starting: Starter, foreign: dict[str, Any]) -> None:
    assert not matches(foreign, build(starting(LOG, {"message": "x"})).job)
    assert not matches(foreign, foreign)


DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
KEY = st.tuples(st.text(), st.text(), st.text(), st.text(), st.integers(1, 99))


@given(KEY)
def test_every_name_is_a_dns_label(key: tuple[str, str, str, str, int]) -> None:
    name = job_name(*key)
    assert DNS_LABEL.fullmatch(name)
    assert len(name) <= 58
    assert name == job_name(*key)


@given(KEY, KEY)
def test_different_attempts_have_different_names(
    one: tuple[str, str, str, str, int], other: tuple[str, str, str, str, int]
) -> None:
    assert (job_name(*one) == job_name(*other)) == (one == other)


@given(st.text())
def test_every_label_value_is_valid(text: str) -> None:
    value = label_value(text)
    assert re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", value, re.ASCII)
    assert len(value) <= 63


def test_the_runners_placement_is_the_pods(starting: Starter) -> None:
    # given
    properties = {
        "script": "x",
        "taskRunner": {
            "type": "io.kestra.plugin.ee.kubernetes.runner.Kubernetes",
            "labels": {"team": "data", "penstock": "x"},
            "waitUntilRunning": "PT30S",
            "affinity": {"podAffinity": {}},
            "runtimeClassName": "gvisor",
            "imagePullSecrets": ["shared", "own"],
            "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": "work"}}],
            "volumeMounts": [{"name": "work", "mountPath": "/data"}],
        },
    }
    defaults = JobDefaults(image_pull_secrets=("shared",))
    start = starting(PYTHON, properties, timeout=timedelta(seconds=60))
    # when
    job = build_job(start, OWNER, container(PYTHON, properties), defaults).job
    # then
    assert job["metadata"]["annotations"]["penstock.dev/start-within"] == "30"
    assert "team" not in job["metadata"]["labels"]
    assert job["spec"]["activeDeadlineSeconds"] == 90
    template = job["spec"]["template"]
    assert template["metadata"]["labels"] == {
        **job["metadata"]["labels"], "team": "data", "penstock": "x"
    }  # fmt: skip
    spec = template["spec"]
    assert spec["imagePullSecrets"] == [{"name": "shared"}, {"name": "own"}]
    assert (spec["affinity"], spec["runtimeClassName"]) == ({"podAffinity": {}}, "gvisor")
    assert spec["volumes"] == [
        {"name": "work", "emptyDir": {}},
        {"name": "user-work", "persistentVolumeClaim": {"claimName": "work"}},
    ]
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": "work", "mountPath": "/penstock"},
        {"name": "user-work", "mountPath": "/data"},
    ]
    assert spec["securityContext"]["fsGroup"] == 65532
