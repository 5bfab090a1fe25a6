"""The pod of a WorkingDirectory, and the attempts in it as if each had a pod of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from penstock.engine.interface.actions import StartAttempt, Workspace
from penstock.engine.interface.secrets import NO_SECRETS
from penstock.flow.task import RunnableTask
from penstock.kubernetes.jobs.job import JobDefaults, Owner, build_job
from penstock.kubernetes.jobs.working_directory import (
    AddedContainers,
    build_directory,
    fold,
    name_in_directory,
    shared_by,
)
from penstock.kubernetes.logs.source import source_of
from penstock.kubernetes.observation import results
from penstock.kubernetes.observation.podstatus import container_name, pending_problem
from penstock.kubernetes.observation.shared_pod import (
    attempts_in,
    waiting_before,
    with_message_size,
)
from penstock.kubernetes.pods.files_sidecar import PodStorage
from penstock.kubernetes.pods.shared_resources import pooled
from penstock.kubernetes.secrets.locations import SecretPlaces
from penstock.resources.execution import State
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.framing import inline_bytes
from penstock.tasks.contract.plan import plan_of, read_long
from penstock.tasks.contract.pod_folders import Paths
from penstock.tasks.contract.task import Resources, TaskFailure
from penstock.tasks.registry.definitions import container

SHELL = "io.kestra.plugin.scripts.shell.Commands"
LOG = "io.kestra.plugin.core.log.Log"
OWNER = Owner("run-1", "team", "11111111-2222-3333-4444-555555555555")
DEFAULTS = JobDefaults(image="penstock:1")
STORAGE = PodStorage(
    ExecutionPlace("company.team", "flow", "run-1"),
    {"PENSTOCK_STORAGE_URL": "http://10.0.0.1:8000", "PENSTOCK_STORAGE_GRANT": "the.grant"},
)
Starter = Callable[..., StartAttempt]
WORKSPACE = Workspace("w1", {}, task="here", tasks=(RunnableTask(id="a", type=SHELL),))


def directory(properties: Mapping[str, Any], storage: PodStorage | None = STORAGE) -> Any:
    workspace = replace(WORKSPACE, properties=properties)
    asked = shared_by(workspace)
    assert asked is not None
    return build_directory(workspace, asked, OWNER, DEFAULTS, storage, NO_SECRETS, SecretPlaces())


def added(start: StartAttempt) -> AddedContainers:
    start = replace(start, workspace=WORKSPACE)
    what = container(start.task.type, start.properties)
    paths = Paths(name_in_directory(start))
    return fold(build_job(start, OWNER, what, DEFAULTS, STORAGE, None, paths), start)


def pod_with(*several: AddedContainers, **status: Any) -> dict[str, Any]:
    made = directory({})
    template = made.job["spec"]["template"]
    owner = {"kind": "Job", "name": made.job["metadata"]["name"]}
    return {
        "metadata": {
            **template["metadata"],
            "name": "pod-1",
            "namespace": "team",
            "uid": "u",
            "resourceVersion": "1",
            "ownerReferences": [owner],
        },
        "spec": {
            **template["spec"],
            "ephemeralContainers": [part for one in several for part in one.containers],
        },
        "status": {"phase": "Running", **status},
    }


def ended(name: str, code: int, seconds: int = 1, **more: Any) -> dict[str, Any]:
    state = {
        "exitCode": code,
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": f"2026-01-01T00:00:{seconds:02d}Z",
        **more,
    }
    return {"name": name, "state": {"terminated": state}}


def test_the_pod_holds_nothing_but_the_directory() -> None:
    # when
    made = directory({})
    # then
    pod = made.job["spec"]["template"]["spec"]
    assert made.config_map is None
    assert [item["name"] for item in pod["initContainers"]] == ["begin"]
    (holder,) = pod["containers"]
    assert pod["initContainers"][0]["resources"] == holder["resources"]
    assert holder["command"] == [
        "python",
        "-I",
        "-m",
        "penstock.tasks.pod.working_directory_pod",
        "hold",
    ]
    assert [mount["name"] for mount in holder["volumeMounts"]] == ["end"]
    assert "PENSTOCK_STORAGE_GRANT" not in json.dumps(pod)
    assert pod["securityContext"] == {
        "seccompProfile": {"type": "RuntimeDefault"},
        "fsGroup": 65532,
    }


def test_what_stands_in_it_at_first_is_put_there_before_all_tasks() -> None:
    # when
    made = directory({"inputFiles": {"a": "x" * 200_000}})
    # then
    (begin,) = made.job["spec"]["template"]["spec"]["initContainers"]
    values = {entry["name"]: entry["value"] for entry in begin["env"]}
    assert values["PENSTOCK_STORAGE_GRANT"] == "the.grant"
    assert values["PENSTOCK_STAGING_FILE"] == "/penstock-files/plan.json"
    plan = plan_of(made.config_map["data"]["plan.json"])
    assert plan.shared is not None
    assert plan.shared.properties == {"inputFiles": {"a": "x" * 200_000}}


def test_files_need_a_storage() -> None:
    with pytest.raises(TaskFailure, match="no internal storage"):
        directory({"cache": {"patterns": ["x"]}}, None)


def test_an_attempt_is_a_container_with_paths_of_its_own(starting: Starter) -> None:
    # given
    start = starting(
        SHELL,
        {"commands": ["cat {{ x }}"], "inputFiles": {"in": "kestra:///a/b"}},
        timeout=timedelta(seconds=30),
    )
    # when
    made = added(start)
    # then
    files, own = made.containers
    assert (made.before, own["name"]) == ((), made.name)
    assert files["name"] == f"{made.name}-files"
    assert own["args"][:3] == [
        "/penstock",
        "/dev/termination-log",
        f"/penstock/attempts/{made.name}/run",
    ]
    assert own["securityContext"]["runAsUser"] == 65532
    for item in made.containers:
        assert not {"resources", "restartPolicy"} & item.keys()
    values = {entry["name"]: entry["value"] for entry in files["env"]}
    assert plan_of(values["PENSTOCK_STAGING"]).within == made.name
    assert plan_of(values["PENSTOCK_STAGING"]).shared is None
    assert {entry["name"]: entry["value"] for entry in own["env"]}["PENSTOCK_TIMEOUT"] == "30"


def test_long_texts_come_in_pieces(starting: Starter) -> None:
    # given
    text = "$(x) $$ é" * 30_000
    # when
    script = added(starting(SHELL, {"commands": ["x"], "inputFiles": {"long": text}}))
    core = added(starting(LOG, {"message": text}))
    # then
    args = script.containers[-1]["args"]
    end = args.index("--")
    written = "".join(args[3:end][2::3])
    assert written.replace("$$", "$") == text
    assert set(args[3:end][0::3]) == {"-f", "-a"}
    values = {entry["name"]: entry["value"] for entry in core.containers[-1]["env"]}
    assert max(len(value.encode()) for value in values.values()) < 128 * 1024
    environment = {name: value.replace("$$", "$") for name, value in values.items()}
    read = read_long("PENSTOCK_TASK", environment)
    assert read is not None
    assert json.loads(read)["properties"]["message"] == text


def test_each_attempt_is_seen_as_if_the_pod_were_its_own(starting: Starter) -> None:
    # given
    first, second = (added(starting(SHELL, {"commands": ["x"]}, attempt=n)) for n in (1, 2))
    pod = pod_with(
        first,
        second,
        ephemeralContainerStatuses=[
            ended(first.name, 3),
            {"name": second.name, "state": {"running": {"startedAt": "2026-01-01T00:00:09Z"}}},
        ],
    )
    # when
    one, two = attempts_in(pod)
    # then
    assert [item["metadata"]["labels"]["penstock.dev/attempt"] for item in (one, two)] == ["1", "2"]
    assert one["metadata"]["labels"]["penstock.dev/task-run"] == "run1"
    assert container_name(one) == first.name
    assert container_name(two) == second.name != first.name
    # Events tell of the pod by its own uid.
    assert one["metadata"]["uid"] == two["metadata"]["uid"] == pod["metadata"]["uid"]
    assert results.observe(None, [one]).message == "exit code 3"
    assert results.observe(None, [two]).state is State.RUNNING


def test_its_log_is_its_own_where_the_pod_is_of_the_execution(starting: Starter) -> None:
    # given
    pod = pod_with(added(starting(SHELL, {"commands": ["x"]})))
    # then
    (own,) = attempts_in(pod)
    source = source_of(own)
    assert source is not None
    assert (source.task, source.task_run, source.attempt) == ("hello", "run1", 1)
    # and not that of a pod which only says so
    pod["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "another"}]
    (foreign,) = attempts_in(pod)
    assert source_of(foreign) is None


@pytest.mark.parametrize(
    ("code", "seconds", "reason"), [(124, 31, "Timeout"), (124, 5, "ExitCode"), (1, 31, "ExitCode")]
)
def test_the_limit_is_told_from_an_exit_code(
    starting: Starter, code: int, seconds: int, reason: str
) -> None:
    made = added(starting(SHELL, {"commands": ["x"]}, timeout=timedelta(seconds=30)))
    (own,) = attempts_in(
        pod_with(made, ephemeralContainerStatuses=[ended(made.name, code, seconds)])
    )
    assert results.observe(None, [own], timedelta(seconds=30)).reason == reason


def test_a_pod_that_was_taken_away_loses_what_runs_in_it(starting: Starter) -> None:
    made = added(starting(SHELL, {"commands": ["x"]}))
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "lastTransitionTime": "2026-01-01T00:00:05Z",
    }
    (own,) = attempts_in(
        pod_with(
            made,
            phase="Failed",
            conditions=[target],
            ephemeralContainerStatuses=[ended(made.name, 137, 7)],
        )
    )
    assert results.observe(None, [own]).state is State.RESUBMITTED


def test_an_image_that_can_t_be_pulled_is_told(starting: Starter) -> None:
    made = added(starting(SHELL, {"commands": ["x"]}))
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    status = {"name": made.name, "state": waiting}
    (own,) = attempts_in(pod_with(made, ephemeralContainerStatuses=[status]))
    problem = pending_problem(own)
    assert problem is not None
    assert problem.reason == "ImagePullBackOff"


def test_a_task_whose_files_can_t_be_moved_any_more_fails(starting: Starter) -> None:
    made = added(starting(SHELL, {"commands": ["x"], "outputFiles": ["a"]}))
    (own,) = attempts_in(
        pod_with(
            made,
            ephemeralContainerStatuses=[
                ended(f"{made.name}-files", 137, reason="OOMKilled"),
                {"name": made.name, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}},
            ],
        )
    )
    seen = results.observe(None, [own])
    assert (seen.state, seen.reason) == (State.FAILED, "FilesFailed")
    assert "OOMKilled" in (seen.message or "")


def test_a_container_that_a_person_added_is_nobody_s_attempt() -> None:
    pod = pod_with()
    pod["spec"]["ephemeralContainers"] = [
        {"name": "debugger-x"},
        {"name": "forged", "env": [{"name": "PENSTOCK_ATTEMPT", "value": "[]"}]},
    ]
    assert attempts_in(pod) == []


def test_the_pod_asks_for_the_most_that_one_of_its_tasks_wants() -> None:
    one = Resources({"cpu": "100m", "memory": "1Gi"}, {"memory": "1Gi", "cpu": "1"})
    other = Resources({"cpu": "1", "memory": "64Mi"}, {"memory": "2Gi"})
    assert pooled([one, other], Resources()) == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"memory": "2112Mi"},
    }
    assert pooled([one, Resources()], Resources()) == {"requests": dict(one.requests)}
    assert pooled([], Resources({"cpu": "50m"})) == {"requests": {"cpu": "50m"}}


def test_messages_are_as_long_as_the_kubelet_lets_them_be_in_such_a_pod(starting: Starter) -> None:
    # given: a kubelet shares 12 KiB among all containers of a pod
    several = [added(starting(SHELL, {"commands": ["x"]}, attempt=n)) for n in range(1, 5)]
    # when
    sizes = []
    for number, one in enumerate(several):
        (made,) = with_message_size(pod_with(*several[:number]), one.containers)
        sizes.append(int(made["env"][-1]["value"]))
    # then: an init container and the one that holds the pod are there at first
    assert sizes == [3584, 12288 // 4 - 64, 12288 // 5 - 64, 12288 // 6 - 64]
    assert inline_bytes(10_000) == 0


def test_texts_that_can_t_be_made_are_told_before_the_attempt_is_there() -> None:
    # given
    config = "couldn't find key X in Secret team/penstock-secrets"
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": config}}
    pod = pod_with(ephemeralContainerStatuses=[{"name": "a-1-secrets", "state": waiting}])
    # when
    seen = waiting_before(pod, "a-1")
    # then
    assert seen is not None
    problem = pending_problem(seen)
    assert problem is not None
    assert (problem.reason, problem.hopeless) == ("SecretMissing", True)
    assert waiting_before(pod, "a-2") is None
