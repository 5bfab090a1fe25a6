"""The pod of an attempt that has to do with files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from penstock.engine.interface.actions import StartAttempt, Workspace
from penstock.engine.interface.secrets import SecretReference, Secrets
from penstock.engine.kinds.flowables.working_directory import WorkingDirectory
from penstock.kubernetes.jobs.job import JobDefaults, JobObjects, Owner, build_job, matches
from penstock.kubernetes.pods.files_sidecar import (
    CLOSING,
    PodStorage,
    needs_storage,
    rights,
    wants_storage,
)
from penstock.kubernetes.pods.podspec import literal
from penstock.kubernetes.pods.prelude import FILES_PRELUDES, PRELUDE
from penstock.storage.folders import OUTPUT_DIR, WORKING_DIR
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.plan import Plan, plan_of
from penstock.tasks.contract.pod_folders import Paths
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import NamespaceFilesOption, TaskFailure
from penstock.tasks.registry.definitions import container

SHELL = "io.kestra.plugin.scripts.shell.Commands"
PYTHON = "io.kestra.plugin.scripts.python.Script"
LOG = "io.kestra.plugin.core.log.Log"
OWNER = Owner("run-1", "team", "11111111-2222-3333-4444-555555555555")
STORAGE = PodStorage(
    ExecutionPlace("company.team", "flow", "run-1"),
    {"PENSTOCK_STORAGE_URL": "http://10.0.0.1:8000", "PENSTOCK_STORAGE_GRANT": "the.grant"},
)
URI = "kestra:///company/team/flow/executions/run-1/tasks/make/tr1/a%20b.csv"
OWN = "kestra:///company/team/flow/executions/run-1/tasks"
Starter = Callable[..., StartAttempt]


def build(start: StartAttempt, defaults: JobDefaults | None = None) -> JobObjects:
    what = container(start.task.type, start.properties)
    return build_job(start, OWNER, what, defaults or JobDefaults(image="penstock:1"), STORAGE)


def pod_of(made: JobObjects) -> dict[str, Any]:
    spec: dict[str, Any] = made.job["spec"]["template"]["spec"]
    return spec


def plan_in(made: JobObjects) -> Plan:
    (files,) = pod_of(made)["initContainers"]
    values = {item["name"]: item["value"] for item in files["env"]}
    return plan_of(values["PENSTOCK_STAGING"].replace("$$", "$"))


def script(starting: Starter, *commands: str, **properties: Any) -> StartAttempt:
    return starting(SHELL, {"commands": list(commands), **properties})


def test_a_job_that_was_made_with_another_ca_is_the_same(starting: Starter) -> None:
    # given: an attempt that reads a file, and storage services that are known by another CA each
    start = script(starting, "cat in", inputFiles={"in": URI})
    what = container(start.task.type, start.properties)
    made = [
        build_job(
            start,
            OWNER,
            what,
            JobDefaults(image="penstock:1"),
            replace(STORAGE, environment={**STORAGE.environment, "PENSTOCK_STORAGE_CA": pem}),
        ).job
        for pem in ("-----BEGIN CERTIFICATE-----\nfirst", "-----BEGIN CERTIFICATE-----\nsecond")
    ]
    # then: a controller adopts the one that is there
    first, second = made
    assert first["spec"] != second["spec"]
    assert matches(first, second)


def test_a_script_with_files_has_a_container_that_moves_them(starting: Starter) -> None:
    # when
    made = build(script(starting, "cat in $X", inputFiles={"in": URI}, outputFiles=["*.txt"]))
    # then
    pod = pod_of(made)
    files = dict(pod["initContainers"][0])
    environment = files.pop("env")
    assert files == {
        "name": "files",
        "image": "penstock:1",
        "restartPolicy": "Always",
        "command": ["python", "-I", "-m", "penstock.tasks.pod.staging"],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "runAsNonRoot": True,
        },
        "volumeMounts": [{"name": "work", "mountPath": "/penstock"}],
    }
    assert {item["name"] for item in environment} == {
        "PENSTOCK_STORAGE_URL", "PENSTOCK_STORAGE_GRANT", "PENSTOCK_STAGING", "TMPDIR",
    }  # fmt: skip
    assert (plan_in(made).fetched, plan_in(made).output_files) == ({"in": URI}, ["*.txt"])
    (task,) = pod["containers"]
    assert task["command"][2] == literal(FILES_PRELUDES[PRELUDE])
    assert not [item for item in task["env"] if item["name"].startswith("PENSTOCK")]
    assert "fsGroup" not in pod["securityContext"]


@pytest.mark.parametrize(
    "properties",
    [
        {"inputFiles": {"a": "text"}},
        {"namespaceFiles": {"enabled": False}},
        {"outputFiles": []},
        {"outputDirectory": False},
        {"env": {"A": WORKING_DIR}},
    ],
)
def test_a_script_without_files_is_alone_in_its_pod(
    starting: Starter, properties: dict[str, Any]
) -> None:
    pod = pod_of(build(script(starting, f"cd {WORKING_DIR}", **properties)))
    assert "initContainers" not in pod
    (task,) = pod["containers"]
    assert task["command"][2] == literal(PRELUDE)
    assert task["args"][-1] == "set -e\ncd /penstock/work"


@pytest.mark.parametrize(
    "properties",
    [
        {"inputFiles": {"a": URI}},
        {"namespaceFiles": {"enabled": True}},
        {"outputFiles": "*.txt"},
        {"outputDirectory": True},
        {"env": {"A": URI}},
        {"inputFiles": {"a": f"read {URI}"}},
        {"env": {"A": OUTPUT_DIR}},
    ],
)
def test_what_has_to_do_with_files_is_refused_without_a_storage(
    starting: Starter, properties: dict[str, Any]
) -> None:
    start = script(starting, "x", **properties)
    what = container(SHELL, start.properties)
    assert needs_storage(start, what)
    with pytest.raises(TaskFailure, match="has no internal storage"):
        build_job(start, OWNER, what, JobDefaults())


def test_uris_in_texts_become_paths(starting: Starter) -> None:
    # when
    made = build(
        script(
            starting,
            f'cat "{URI}" "$A" > {OUTPUT_DIR}/x',
            env={"A": URI, "B": URI.replace("a%20b", "c")},
        )
    )
    # then
    (task,) = pod_of(made)["containers"]
    environment = {item["name"]: item["value"] for item in task["env"]}
    assert task["args"][-1].endswith('cat "/penstock/fetched/0/a b.csv" "$$A" > /penstock/output/x')
    assert environment["A"] == "/penstock/fetched/0/a b.csv"
    assert environment["B"] == "/penstock/fetched/1/c.csv"
    assert environment["OUTPUT_DIR"] == "/penstock/output"
    plan = plan_in(made)
    assert plan.beside == {
        "fetched/0/a b.csv": URI,
        "fetched/1/c.csv": URI.replace("a%20b", "c"),
    }
    assert plan.output_directory


@pytest.mark.parametrize("properties", [{"outputFiles": ["a.txt"]}, {"outputDirectory": True}])
@pytest.mark.parametrize(
    ("paths", "output"),
    [(Paths(), "/penstock/output"), (Paths("hello-1"), "/penstock/attempts/hello-1/output")],
)
def test_who_keeps_files_has_an_output_directory(
    starting: Starter, properties: dict[str, Any], paths: Paths, output: str
) -> None:
    # given
    start = script(starting, "echo hi > $OUTPUT_DIR/a.txt", **properties)
    what = container(SHELL, start.properties)
    # when
    made = build_job(start, OWNER, what, JobDefaults(), STORAGE, paths=paths)
    # then
    (task,) = pod_of(made)["containers"]
    assert {"name": "OUTPUT_DIR", "value": output} in task["env"]


def test_packages_are_kept_where_there_is_a_storage(starting: Starter) -> None:
    # given
    start = starting(PYTHON, {"script": "1", "dependencies": ["kestra"]})
    what = container(PYTHON, start.properties)
    # when
    made = build(start)
    without = build_job(start, OWNER, what, JobDefaults())
    # then
    assert (needs_storage(start, what), wants_storage(start, what)) == (False, True)
    (task,) = pod_of(made)["containers"]
    place = {"name": "PENSTOCK_PACKAGES", "value": "/penstock/packages"}
    assert place in task["env"]
    assert what.packages is not None
    assert plan_in(made).packages == what.packages.key(str)
    assert "initContainers" not in pod_of(without)
    assert place not in pod_of(without)["containers"][0]["env"]


def test_in_a_pod_of_many_each_attempt_has_its_own_packages(starting: Starter) -> None:
    # given
    start = starting(PYTHON, {"script": "1", "dependencies": ["kestra"]})
    what, paths = container(PYTHON, start.properties), Paths("hello-1")
    # when
    made = build_job(start, OWNER, what, JobDefaults(), STORAGE, paths=paths)
    # then
    (task,) = pod_of(made)["containers"]
    place = {"name": "PENSTOCK_PACKAGES", "value": "/penstock/attempts/hello-1/packages"}
    assert place in task["env"]
    assert (plan_in(made).within, plan_in(made).packages != "") == ("hello-1", True)


def test_packages_with_a_secret_in_their_name_are_not_kept(starting: Starter) -> None:
    # given
    secret = SecretReference("TOKEN")
    secrets = Secrets("(secret:", "company.team", {"(secret:1)": secret}, needed=(secret,))
    given = {"script": "1", "dependencies": ["a @ https://(secret:1)@host/a.whl"]}
    start = replace(starting(PYTHON, given), secrets=secrets)
    # then
    assert not wants_storage(start, container(PYTHON, start.properties))


@pytest.mark.parametrize("user", [None, 0, 1000])
def test_a_script_of_another_user_shares_a_group(starting: Starter, user: int | None) -> None:
    start = script(starting, "x", outputFiles=["a"])
    pod = pod_of(build(start, JobDefaults(image="penstock:1", script_user=user)))
    assert pod["securityContext"]["fsGroup"] == 65532
    assert pod["initContainers"][0]["securityContext"]["runAsUser"] == 65532


def test_a_long_plan_comes_in_a_config_map(starting: Starter) -> None:
    # given
    workspace = Workspace("wd1", {"inputFiles": {"a": "x" * 100_000}})
    start = replace(script(starting, "x"), workspace=workspace)
    # when
    made = build(start)
    # then
    assert made.config_map is not None
    plan = plan_of(made.config_map["data"]["plan.json"])
    assert plan.shared is not None
    assert plan.shared.properties == workspace.properties
    (files,) = pod_of(made)["initContainers"]
    assert {"name": "PENSTOCK_STAGING_FILE", "value": "/penstock-files/plan.json"} in files["env"]
    assert files["volumeMounts"][1]["mountPath"] == "/penstock-files"


def test_a_shared_directory_is_taken_up_and_left(starting: Starter) -> None:
    # given
    before = (("first", "tr1", 2), ("first", "tr1", 1))
    workspace = Workspace("wd1", {"outputFiles": ["*"]}, before)
    # when
    made = build(replace(script(starting, "x"), workspace=workspace))
    # then
    shared = plan_in(made).shared
    assert shared is not None
    assert shared.left_by == [
        f"{OWN}/first/tr1/.penstock/directory-2.tar",
        f"{OWN}/first/tr1/.penstock/directory-1.tar",
    ]
    assert shared.name == ".penstock/directory-1.tar"


def test_the_end_of_a_working_directory_runs_in_our_own_image(starting: Starter) -> None:
    # given
    task = WorkingDirectory.model_construct(id="wd", type="x", tasks=[])
    start = replace(
        script(starting, "x"), task=task, workspace=Workspace("run1", {"outputFiles": ["*"]})
    )
    # when
    pod = pod_of(build_job(start, OWNER, CLOSING, JobDefaults(image="penstock:1"), STORAGE))
    # then
    (only,) = pod["containers"]
    assert "initContainers" not in pod
    assert only["command"][-1] == "penstock.tasks.pod.working_directory_close"
    environment = {item["name"]: item["value"] for item in only["env"]}
    assert environment["PENSTOCK_STORAGE_GRANT"] == "the.grant"
    shared = json.loads(environment["PENSTOCK_STAGING"])["shared"]
    assert (shared["id"], shared["name"]) == ("run1", "")
    assert only["volumeMounts"] == [{"name": "work", "mountPath": "/penstock"}]
    assert pod["volumes"] == [{"name": "work", "emptyDir": {}}]


def test_a_core_task_that_needs_no_storage_gets_no_grant(starting: Starter) -> None:
    start = replace(starting(LOG, {"message": f"in {WORKING_DIR}"}), workspace=Workspace("wd1", {}))
    (task,) = pod_of(build(start))["containers"]
    assert [item["name"] for item in task["env"]] == ["PENSTOCK_TASK"]
    assert "in /penstock/work" in task["env"][0]["value"]


@pytest.mark.parametrize(
    ("properties", "wanted"),
    [
        ({"inputFiles": {"a": "nsfile:///a"}}, set()),
        ({"inputFiles": {"a": "nsfile://other/a"}}, {"namespaces"}),
        ({"namespaceFiles": {"enabled": True}}, set()),
        ({"namespaceFiles": {"namespaces": ["other"]}}, {"namespaces"}),
    ],
)
def test_other_namespaces_are_open_only_to_who_names_them(
    starting: Starter, properties: dict[str, Any], wanted: set[str]
) -> None:
    start = script(starting, "x", **properties)
    assert rights(start, container(SHELL, start.properties)) == wanted
    inside = replace(script(starting, "x"), workspace=Workspace("wd1", properties))
    assert rights(inside, container(SHELL, inside.properties)) == wanted


def test_a_plan_is_what_it_was() -> None:
    plan = Plan(
        origin=Origin("company.team", "flow", "run-1", "a", "tr1"),
        fetched={"é": URI},
        namespace_files=NamespaceFilesOption(include=["a"], if_exists="FAIL"),
    )
    assert plan_of(plan.to_json()) == plan
