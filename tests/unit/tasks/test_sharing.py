"""Which tasks of a WorkingDirectory can run in one pod."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.tasks.contract.task import Placement, Resources
from penstock.tasks.registry.shared_pod import Sharing, sharing

SHELL = "io.kestra.plugin.scripts.shell.Commands"
LOG = "io.kestra.plugin.core.log.Log"
KUBERNETES = "io.kestra.plugin.ee.kubernetes.runner.Kubernetes"
FAST = {"type": KUBERNETES, "nodeSelector": {"disk": "fast"}}


def asked(*properties: dict[str, Any]) -> Sharing | None:
    return sharing([(SHELL, item) for item in properties])


def test_scripts_without_wishes_share_a_pod_with_every_other_task() -> None:
    found = sharing([(SHELL, {"containerImage": "{{ vars.image }}"}), (LOG, {"message": "x"})])
    assert found == Sharing(Placement(), (Resources(),))


def test_each_may_have_an_image_and_resources_of_its_own() -> None:
    found = asked(
        {"taskRunner": {"type": KUBERNETES, "resources": {"limit": {"memory": "1Gi"}}}},
        {
            "taskRunner": {
                "type": "io.kestra.plugin.scripts.runner.docker.Docker",
                "image": "{{ x }}",
            }
        },
        {"docker": {"image": "{{ x }}", "cpu": {"cpus": 2}}},
    )
    assert found is not None
    limits = [dict(amount.limits) for amount in found.resources]
    assert limits == [{"memory": "1Gi"}, {}, {"cpu": "2"}]


def test_one_place_for_all_is_the_place_of_the_pod() -> None:
    found = asked({"taskRunner": FAST}, {"taskRunner": FAST})
    assert found is not None
    assert found.placement.node_selector == {"disk": "fast"}


@pytest.mark.parametrize(
    "properties",
    [
        [{"taskRunner": FAST}, {}],
        [{"taskRunner": FAST}, {"taskRunner": FAST | {"nodeSelector": {"disk": "slow"}}}],
        [{"taskRunner": FAST | {"nodeSelector": {"disk": "{{ outputs.a.disk }}"}}}],
        [{"taskRunner": "{{ vars.runner }}"}],
        [{"taskRunner": {"type": KUBERNETES, "resources": {"limit": {"nvidia.com/gpu": "1"}}}}],
        [{"docker": {"deviceRequests": [{"driver": "nvidia"}]}}],
        [
            {
                "taskRunner": {
                    "type": KUBERNETES,
                    "volumes": [{"name": "data", "emptyDir": {}}],
                    "volumeMounts": [{"name": "data", "mountPath": "/data", "subPath": "part"}],
                }
            }
        ],
        [{"taskRunner": {"type": KUBERNETES, "nodeSelector": 3}}],
    ],
    ids=["one", "two-places", "rendered", "all-rendered", "device", "gpu", "sub-path", "wrong"],
)
def test_tasks_that_no_pod_can_please_together_have_their_own(
    properties: list[dict[str, Any]],
) -> None:
    assert asked(*properties) is None


def test_a_task_that_may_turn_out_to_be_any_has_its_own() -> None:
    name = "io.kestra.plugin.core.templating.TemplatedTask"
    assert sharing([(name, {"spec": "type: x"})]) is None
