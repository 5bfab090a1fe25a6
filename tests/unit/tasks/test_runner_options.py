"""What a task runner says of the pod: what is taken over, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from penstock.flow.types import TaskTypes
from penstock.tasks.contract.task import Container, Placement, Resources, TaskFailure
from penstock.tasks.registry.definitions import container

COMMANDS = "io.kestra.plugin.scripts.shell.Commands"
KUBERNETES = "io.kestra.plugin.ee.kubernetes.runner.Kubernetes"
DOCKER = "io.kestra.plugin.scripts.runner.docker.Docker"


def run(**options: Any) -> Container:
    runner = {"type": KUBERNETES, **options}
    return container(COMMANDS, {"commands": ["x"], "taskRunner": runner})


def test_every_option_of_the_runner_is_taken_over() -> None:
    # given
    affinity: dict[str, Any] = {
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}
    }
    # when
    what = run(
        resources={"request": {"cpu": "100m"}, "limit": {"nvidia.com/gpu": 1}},
        nodeSelector={"disk": "fast"},
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        affinity=affinity,
        serviceAccountName="runner",
        runtimeClassName="gvisor",
        imagePullSecrets=["one", {"name": "two"}],
        labels={"team": "data"},
        waitUntilRunning="PT30S",
        volumes=[{"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}}],
        volumeMounts=[{"name": "cache", "mountPath": "/var/cache/", "readOnly": True}],
    )
    # then
    assert what.resources == Resources({"cpu": "100m"}, {"nvidia.com/gpu": "1"})
    assert what.placement == Placement(
        node_selector={"disk": "fast"},
        tolerations=({"key": "gpu", "operator": "Exists"},),
        affinity=affinity,
        service_account_name="runner",
        runtime_class_name="gvisor",
        image_pull_secrets=("one", "two"),
        labels={"team": "data"},
        volumes=({"name": "user-cache", "emptyDir": {"sizeLimit": "1Gi"}},),
        volume_mounts=({"name": "user-cache", "mountPath": "/var/cache", "readOnly": True},),
        start_within=timedelta(seconds=30),
    )


def test_the_specs_say_the_same_and_the_properties_win() -> None:
    # when
    what = run(
        podSpec={
            "nodeSelector": {"disk": "slow", "zone": "a"},
            "serviceAccountName": "other",
            "runtimeClassName": "kata",
            "imagePullSecrets": [{"name": "one"}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            "hostNetwork": True,
            "containers": [{"name": "evil"}],
        },
        containerSpec={
            "resources": {"limits": {"memory": "1Gi", "cpu": 2}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "securityContext": {"privileged": True},
        },
        nodeSelector={"disk": "fast"},
        serviceAccountName="runner",
        resources={"limit": {"memory": "2Gi"}},
    )
    # then
    assert what.resources.limits == {"memory": "2Gi", "cpu": "2"}
    assert what.placement == Placement(
        node_selector={"disk": "fast", "zone": "a"},
        service_account_name="runner",
        runtime_class_name="kata",
        image_pull_secrets=("one",),
        volumes=({"name": "user-data", "persistentVolumeClaim": {"claimName": "data"}},),
        volume_mounts=({"name": "user-data", "mountPath": "/data"},),
    )


def test_what_of_a_spec_is_left_alone_is_told(types: TaskTypes) -> None:
    # given
    task_type = types.find(COMMANDS)
    assert task_type is not None
    assert task_type.warnings is not None
    runner = {
        "type": KUBERNETES,
        "podSpec": {"hostNetwork": True, "affinity": {}},
        "containerSpec": {"securityContext": {}, "resources": {}},
        "namespace": "elsewhere",
        "volumes": ["/a:/a"],
    }
    # when
    told = [at for at, _ in task_type.warnings({"commands": ["x"], "taskRunner": runner})]
    # then
    assert sorted(told) == [
        "taskRunner.containerSpec.securityContext",
        "taskRunner.namespace",
        "taskRunner.podSpec.hostNetwork",
        "taskRunner.volumes",
    ]


@pytest.mark.parametrize(
    ("request_", "gpus"),
    [
        ({"driver": "nvidia", "count": 2}, "2"),
        ({"capabilities": [["gpu"]], "deviceIds": ["a", "b", "c"]}, "3"),
        ({"capabilities": [["gpu"]], "count": -1}, "1"),
        ({"driver": "fpga", "count": 2}, None),
    ],
)
def test_dockers_gpus_become_nvidias(request_: dict[str, Any], gpus: str | None) -> None:
    runner = {"type": DOCKER, "deviceRequests": [request_]}
    what = container(COMMANDS, {"commands": ["x"], "taskRunner": runner})
    assert what.resources.limits.get("nvidia.com/gpu") == gpus


HOST = {"name": "host", "hostPath": {"path": "/"}}
CACHE = {"name": "cache", "emptyDir": {}}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"volumes": [HOST]}, "`taskRunner.volumes[0]`: must be of one kind of"),
        ({"podSpec": {"volumes": [CACHE, HOST]}}, "podSpec.volumes[1]`: must be of one kind of"),
        ({"volumes": [{"name": "x", "nfs": {}}]}, "here it is `nfs`"),
        ({"volumes": [{"name": "x"}]}, "here it is none"),
        ({"volumes": [{"name": "x", "emptyDir": {}, "secret": {}}]}, "must be of one kind of"),
        ({"volumes": [{"emptyDir": {}}]}, "a volume has a `name`"),
        ({"volumes": [{"name": "Up", "emptyDir": {}}]}, "a volume has a `name`"),
        (
            {
                "volumes": [
                    {"name": "x", "projected": {"sources": [{"serviceAccountToken": {}}]}},
                ]
            },
            "`serviceAccountToken` may not be projected",
        ),
        ({"volumeMounts": [{"name": "x", "mountPath": "/x"}]}, "no volume has this name"),
        (
            {"volumes": [CACHE], "volumeMounts": [{"name": "cache", "mountPath": "x"}]},
            "`mountPath` is an absolute path",
        ),
        (
            {
                "volumes": [CACHE],
                "volumeMounts": [{"name": "cache", "mountPath": "/a/../penstock"}],
            },
            "nothing may be mounted",
        ),
        (
            {"volumes": [CACHE], "volumeMounts": [{"name": "cache", "mountPath": "//dev/shm"}]},
            "nothing may be mounted",
        ),
        (
            {
                "volumes": [CACHE],
                "volumeMounts": [
                    {"name": "cache", "mountPath": "/x", "mountPropagation": "Bidirectional"}
                ],
            },
            "`mountPropagation` is not allowed in the mount of a volume",
        ),
        ({"labels": {"penstock.dev/execution": "x"}}, "not a flow's to set"),
        ({"labels": {"app.kubernetes.io/managed-by": "x"}}, "not a flow's to set"),
        ({"podSpec": {"tolerations": "all"}}, "`taskRunner.podSpec.tolerations`: a list"),
        ({"podSpec": {"volumes": ["x"]}}, "`taskRunner.podSpec.volumes`: a list of maps"),
        ({"podSpec": {"serviceAccountName": 3}}, "`taskRunner.podSpec.serviceAccountName`: text"),
        ({"podSpec": {"affinity": []}, "imagePullSecrets": [3]}, "imagePullSecrets"),
        ({"containerSpec": {"resources": {"limits": "x"}}}, "containerSpec.resources.limits"),
    ],
)
def test_what_would_make_a_pod_less_safe_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(TaskFailure) as caught:
        run(**options)
    assert words in str(caught.value)
