"""The Kustomize base, which is made of the chart: so this holds for both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
BASE = ROOT / "manifests"


def bodies() -> list[dict[str, Any]]:
    return [
        body
        for path in sorted(BASE.rglob("*.yaml"))
        if path.name not in ("kustomization.yaml", "settings.yaml")
        for body in yaml.safe_load_all(path.read_text())
    ]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [body for body in bodies() if body["kind"] == kind]


def deployment(name: str = "penstock") -> dict[str, Any]:
    (found,) = [body for body in of_kind("Deployment") if body["metadata"]["name"] == name]
    return found


def pod_of(name: str = "penstock") -> dict[str, Any]:
    found: dict[str, Any] = deployment(name)["spec"]["template"]["spec"]
    return found


def rules(name: str) -> list[dict[str, Any]]:
    (role,) = [body for body in of_kind("ClusterRole") if body["metadata"]["name"] == name]
    found: list[dict[str, Any]] = role["rules"]
    return found


@pytest.mark.parametrize("path", sorted(BASE.rglob("kustomization.yaml")), ids=str)
def test_every_resource_of_a_kustomization_is_there(path: Path) -> None:
    kustomization = yaml.safe_load(path.read_text())
    for resource in kustomization["resources"]:
        assert (path.parent / resource).exists()
    listed = {path.parent / resource for resource in kustomization["resources"]}
    others = {item for item in path.parent.glob("*.yaml") if item.name != "settings.yaml"}
    assert others - {path} <= listed


@pytest.mark.parametrize(
    ("name", "container"), [("penstock", "controller"), ("penstock-storage", "storage")]
)
def test_each_part_passes_pod_security_restricted(name: str, container: str) -> None:
    pod = pod_of(name)

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (only,) = pod["containers"]
    assert only["name"] == container
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    kinds = {"emptyDir", "configMap", "persistentVolumeClaim"}
    assert all(kinds & set(volume) for volume in pod["volumes"])
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)


def test_there_are_never_two_controllers() -> None:
    spec = deployment()["spec"]

    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_each_part_has_a_service_account_of_its_own() -> None:
    accounts = {
        body["spec"]["template"]["spec"]["serviceAccountName"] for body in of_kind("Deployment")
    }

    assert accounts == {body["metadata"]["name"] for body in of_kind("ServiceAccount")}
    assert len(accounts) == len(of_kind("Deployment"))


def test_no_part_is_selected_as_another() -> None:
    for part in of_kind("Deployment"):
        wanted = part["spec"]["selector"]["matchLabels"].items()
        found = [
            body["metadata"]["name"]
            for body in of_kind("Deployment")
            if wanted <= body["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert found == [part["metadata"]["name"]]


def test_who_shares_a_volume_is_on_one_node() -> None:
    for name in ("penstock", "penstock-storage"):
        (term,) = pod_of(name)["affinity"]["podAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        labels = deployment(name)["spec"]["template"]["metadata"]["labels"]
        assert term["topologyKey"] == "kubernetes.io/hostname"
        # A pod that nobody came before fits its own term: that one may be scheduled anywhere.
        assert term["labelSelector"]["matchLabels"].items() <= labels.items()


def test_core_tasks_run_in_the_image_of_the_controller() -> None:
    (container,), (service,) = pod_of()["containers"], pod_of("penstock-storage")["containers"]
    environment = {item["name"]: item.get("value") for item in container["env"]}

    assert environment["PENSTOCK_IMAGE"] == container["image"] == service["image"]


@pytest.mark.parametrize(
    "role", ["penstock", "penstock-storage", "penstock-viewer", "penstock-editor"]
)
def test_no_role_reads_secrets_or_has_a_wildcard(role: str) -> None:
    for rule in rules(role):
        # The values of SECRET inputs are written once; no value can be read.
        assert "secrets" not in rule["resources"] or rule["verbs"] == ["create"]
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_the_controller_can_do_this_and_nothing_else() -> None:
    granted = {
        (group, resource): set(rule["verbs"])
        for rule in rules("penstock")
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }

    assert granted == {
        ("penstock.dev", "flows"): {"get", "list", "watch", "create", "patch", "delete"},
        ("penstock.dev", "executions"): {"get", "list", "watch", "create", "patch", "delete"},
        ("penstock.dev", "gitsources"): {"get", "list", "watch"},
        ("penstock.dev", "keyvalues"): {"get", "list", "watch", "create", "update", "delete"},
        ("penstock.dev", "flows/status"): {"update"},
        ("penstock.dev", "executions/status"): {"update"},
        ("penstock.dev", "gitsources/status"): {"update"},
        ("batch", "jobs"): {"get", "list", "watch", "create", "delete"},
        ("", "pods"): {"get", "list", "watch"},
        ("", "pods/log"): {"get"},
        ("", "pods/ephemeralcontainers"): {"patch"},
        ("", "configmaps"): {"get", "create"},
        ("", "secrets"): {"create"},
        ("apps", "controllerrevisions"): {"get", "list", "create", "delete"},
        ("events.k8s.io", "events"): {"create", "list"},
    }


def test_the_storage_service_looks_at_single_jobs_and_executions_and_does_nothing_else() -> None:
    assert rules("penstock-storage") == [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
        {"apiGroups": ["penstock.dev"], "resources": ["executions"], "verbs": ["get"]},
    ]


def test_the_controller_reads_one_service_and_no_other() -> None:
    (role,) = [body for body in of_kind("Role") if body["metadata"]["name"] == "penstock-address"]

    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["services"],
            "resourceNames": ["penstock-storage"],
            "verbs": ["get"],
        }
    ]
    assert "penstock-storage" in [body["metadata"]["name"] for body in of_kind("Service")]


def test_users_reach_the_storage_service_by_get_and_nothing_else() -> None:
    (role,) = [body for body in of_kind("Role") if body["metadata"]["name"] == "penstock-logs"]
    (binding,) = [
        body for body in of_kind("RoleBinding") if body["roleRef"]["name"] == "penstock-logs"
    ]

    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["services/proxy"],
            "resourceNames": ["penstock-storage:storage"],
            "verbs": ["get"],
        }
    ]
    assert [subject["name"] for subject in binding["subjects"]] == ["system:authenticated"]


def test_nothing_of_helm_is_left() -> None:
    for body in bodies():
        labels = body["metadata"].get("labels", {})
        assert "helm.sh/chart" not in labels
        assert labels.get("app.kubernetes.io/managed-by") != "Helm"
