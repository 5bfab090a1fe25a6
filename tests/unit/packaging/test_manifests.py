"""The Kustomize base, which is made of the chart: so this holds for both."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.controller.app.metrics_endpoint import TASKS_PATH
from penstock.controller.runtime.certificates import Certificates
from penstock.controller.runtime.settings import load_settings
from penstock.git.wire import AUDIENCE
from penstock.network import REFUSED
from penstock.tls.serving import FOLDER
from penstock.tls.trust import GIT, STORAGE
from tests.fixtures.apiserver import ApiServer

ROOT = Path(__file__).parents[3]
BASE = ROOT / "manifests"


@cache
def bodies() -> list[dict[str, Any]]:
    """Every object of the base, which no test changes: reading them takes half a second."""
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
    ("name", "container"),
    [
        ("penstock", "controller"),
        ("penstock-storage", "storage"),
        ("penstock-git", "git"),
        ("penstock-gateway", "gateway"),
    ],
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
    kinds = {"emptyDir", "configMap", "persistentVolumeClaim", "projected", "secret"}
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
    "role",
    [
        "penstock",
        "penstock-storage",
        "penstock-gateway",
        "penstock-viewer",
        "penstock-editor",
    ],
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
        ("penstock.dev", "triggerstates"): {"get", "list", "watch", "create", "patch", "delete"},
        ("penstock.dev", "flows/status"): {"update"},
        ("penstock.dev", "executions/status"): {"update"},
        ("penstock.dev", "gitsources/status"): {"update"},
        ("penstock.dev", "triggerstates/status"): {"update"},
        ("batch", "jobs"): {"get", "list", "watch", "create", "delete"},
        ("", "pods"): {"get", "list", "watch"},
        ("", "pods/log"): {"get"},
        ("", "pods/ephemeralcontainers"): {"patch"},
        ("", "configmaps"): {"get", "create"},
        ("", "secrets"): {"create"},
        ("", "namespaces"): {"get"},
        ("apps", "controllerrevisions"): {"get", "list", "create", "delete"},
        ("apps", "deployments"): {"get", "list", "watch", "create", "patch", "delete"},
        ("events.k8s.io", "events"): {"create", "list"},
    }


def test_the_storage_service_looks_at_single_jobs_and_does_nothing_else() -> None:
    assert rules("penstock-storage") == [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
    ]


def test_the_gateway_reads_flows_creates_executions_and_marks_sources_and_does_nothing_else() -> (
    None
):
    assert rules("penstock-gateway") == [
        {
            "apiGroups": ["penstock.dev"],
            "resources": ["flows", "triggerstates"],
            "verbs": ["get", "list", "watch"],
        },
        {"apiGroups": ["penstock.dev"], "resources": ["triggerstates"], "verbs": ["patch"]},
        {
            "apiGroups": ["penstock.dev"],
            "resources": ["executions"],
            "verbs": ["create", "get", "list", "watch"],
        },
        {"apiGroups": ["penstock.dev"], "resources": ["gitsources"], "verbs": ["patch"]},
    ]
    account = pod_of("penstock-gateway")["serviceAccountName"]
    bound = [
        body["roleRef"]["name"]
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for body in of_kind(kind)
        if account in [subject["name"] for subject in body["subjects"]]
    ]
    assert sorted(bound) == ["penstock-gateway", "penstock-gateway-tokens"]
    assert rules("penstock-gateway-tokens") == [
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    ]


def test_the_gateway_has_no_volume_and_no_secret_but_its_settings_and_that_of_arrivals() -> None:
    pod = pod_of("penstock-gateway")
    assert {item["name"] for item in pod["volumes"]} == {"settings", "arrivals", "tmp"}
    (arrivals,) = [item for item in pod["volumes"] if item["name"] == "arrivals"]
    kept = environment_of("penstock")["PENSTOCK_ARRIVALS"]
    assert arrivals["secret"] == {"secretName": kept, "optional": True}
    (mount,) = [item for item in pod["containers"][0]["volumeMounts"] if item["name"] == "arrivals"]
    assert environment_of("penstock-gateway")["PENSTOCK_ARRIVALS"] == mount["mountPath"]
    assert "envFrom" not in pod["containers"][0]
    # and its policies bind the account that it runs with
    user = f"system:serviceaccount:penstock-system:{pod['serviceAccountName']}"
    bound = [
        body["metadata"]["name"]
        for body in of_kind("ValidatingAdmissionPolicy")
        if user in body["spec"]["matchConditions"][0]["expression"].replace("'", " ").split()
    ]
    assert bound == [
        "penstock-system-penstock-gateway-executions",
        "penstock-system-penstock-gateway-gitsources",
        "penstock-system-penstock-gateway-triggerstates",
    ]


def test_the_controller_reads_its_own_services_and_namespace_and_no_others() -> None:
    (role,) = [body for body in of_kind("Role") if body["metadata"]["name"] == "penstock-address"]
    own = ["penstock-storage", "penstock-git", "penstock-gateway", "penstock-metrics"]

    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["services"],
            "resourceNames": own,
            "verbs": ["get"],
        },
        {
            "apiGroups": [""],
            "resources": ["namespaces"],
            "resourceNames": ["penstock-system"],
            "verbs": ["get"],
        },
    ]
    assert set(own) == {body["metadata"]["name"] for body in of_kind("Service")}
    assert environment_of("penstock")["PENSTOCK_OWN_SERVICES"].split() == own


def test_users_reach_the_storage_service_by_get_and_nothing_else() -> None:
    (role,) = [body for body in of_kind("Role") if body["metadata"]["name"] == "penstock-logs"]
    (binding,) = [
        body for body in of_kind("RoleBinding") if body["roleRef"]["name"] == "penstock-logs"
    ]

    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["services/proxy"],
            "resourceNames": ["https:penstock-storage:storage"],
            "verbs": ["get"],
        }
    ]
    assert [subject["name"] for subject in binding["subjects"]] == ["system:authenticated"]


def environment_of(name: str) -> dict[str, Any]:
    (container,) = pod_of(name)["containers"]
    return {item["name"]: item.get("value") for item in container["env"]}


def test_git_may_look_at_tokens_and_do_nothing_else() -> None:
    # given: the account that its pod runs with
    account = pod_of("penstock-git")["serviceAccountName"]
    assert account not in {
        pod_of()["serviceAccountName"],
        pod_of("penstock-storage")["serviceAccountName"],
    }
    # then
    bindings = [
        body["roleRef"]
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for body in of_kind(kind)
        if account in [subject["name"] for subject in body["subjects"]]
    ]
    assert [(role["kind"], role["name"]) for role in bindings] == [("ClusterRole", "penstock-git")]
    assert rules("penstock-git") == [
        {
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["tokenreviews"],
            "verbs": ["create"],
        }
    ]


def test_the_controller_may_ask_who_reads_the_metrics_of_tasks() -> None:
    account = pod_of()["serviceAccountName"]
    bound = [
        body["roleRef"]["name"]
        for body in of_kind("ClusterRoleBinding")
        if account in [subject["name"] for subject in body["subjects"]]
    ]
    assert sorted(bound) == ["penstock", "penstock-metrics"]
    assert [(rule["resources"], rule["verbs"]) for rule in rules("penstock-metrics")] == [
        (["tokenreviews"], ["create"]),
        (["subjectaccessreviews"], ["create"]),
    ]


def test_nobody_reads_the_metrics_of_tasks_until_somebody_is_bound() -> None:
    assert rules("penstock-metrics-reader") == [{"nonResourceURLs": [TASKS_PATH], "verbs": ["get"]}]
    bound = {body["roleRef"]["name"] for body in of_kind("ClusterRoleBinding")}
    assert "penstock-metrics-reader" not in bound


def test_the_controller_shows_git_a_token_for_that_alone() -> None:
    (volume,) = [item for item in pod_of()["volumes"] if item["name"] == "git-token"]
    (source,) = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == AUDIENCE
    (mount,) = [
        item for item in pod_of()["containers"][0]["volumeMounts"] if item["name"] == "git-token"
    ]
    token = f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"
    assert environment_of("penstock")["PENSTOCK_GIT_TOKEN"] == token
    # and git lets in that account
    user = f"system:serviceaccount:penstock-system:{pod_of()['serviceAccountName']}"
    assert environment_of("penstock-git")["PENSTOCK_GIT_USER"] == user


def test_git_has_no_volume_and_no_secret_but_its_cache_and_its_certificate() -> None:
    pod = pod_of("penstock-git")
    assert {item["name"] for item in pod["volumes"]} == {"settings", "tls", "cache", "tmp"}
    (cache,) = [item for item in pod["volumes"] if item["name"] == "cache"]
    size = environment_of("penstock-git")["PENSTOCK_GIT_CACHE_SIZE"]
    assert cache["emptyDir"]["sizeLimit"] == size
    assert "envFrom" not in pod["containers"][0]
    assert "git" not in {item["name"] for item in pod_of()["volumes"]}


def test_the_controller_reaches_git_by_its_service() -> None:
    name = environment_of("penstock")["PENSTOCK_GIT_SERVICE"]
    (service,) = [body for body in of_kind("Service") if body["metadata"]["name"] == name]
    (port,) = pod_of("penstock-git")["containers"][0]["ports"]
    assert [item["targetPort"] for item in service["spec"]["ports"]] == [port["name"]]
    labels = deployment("penstock-git")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    # and no other part's selector finds its pods
    for body in of_kind("Service"):
        if body is not service and body["metadata"]["name"] != "penstock-git":
            assert not body["spec"]["selector"].items() <= labels.items()


CERTIFICATES = ["penstock-ca", "penstock-storage-tls", "penstock-git-tls"]
OWN_SECRETS = [*CERTIFICATES, "penstock-gateway-arrivals"]


def test_the_controller_keeps_its_own_secrets_and_reads_no_other() -> None:
    (role,) = [
        body for body in of_kind("Role") if body["metadata"]["name"] == "penstock-certificates"
    ]
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": OWN_SECRETS,
            "verbs": ["get", "update"],
        },
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    ]
    others = [
        body for body in of_kind("Role") if body["metadata"]["name"] != "penstock-certificates"
    ]
    assert "secrets" not in str([body["rules"] for body in others])
    (binding,) = [
        body
        for body in of_kind("RoleBinding")
        if body["roleRef"]["name"] == "penstock-certificates"
    ]
    assert [subject["name"] for subject in binding["subjects"]] == [pod_of()["serviceAccountName"]]


def test_the_fence_knows_the_controllers_secrets_by_namespace_and_name() -> None:
    # given: the rules that leave something out for them
    expressions = [
        " ".join(validation["expression"].split())
        for policy in of_kind("ValidatingAdmissionPolicy")
        for validation in policy["spec"]["validations"]
    ]
    names = str(OWN_SECRETS).replace(" ", "")
    opened = [text for text in expressions if names in text]
    # then: of the namespaces, the owners, what is immutable, and the types
    assert len(opened) == 4
    only = (
        "(request.resource.resource == 'secrets' && request.operation != 'DELETE' "
        f"&& request.namespace == 'penstock-system' && request.name in {names})"
    )
    assert all(text.count(only) == 1 for text in opened)


@pytest.mark.parametrize("part", ["storage", "git"])
def test_a_service_speaks_tls_with_the_certificate_that_the_controller_makes(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    # given: the names that the controller makes of its environment
    for name, value in environment_of("penstock").items():
        if value is not None:
            monkeypatch.setenv(name, value)
    certificates = Certificates.of_environment(ApiServer().api)
    assert certificates is not None
    assert [certificates.authority_secret, *certificates.secrets.values()] == CERTIFICATES
    # then
    pod = pod_of(f"penstock-{part}")
    (volume,) = [item for item in pod["volumes"] if "secret" in item]
    service = {"storage": STORAGE, "git": GIT}[part]
    assert volume["secret"] == {
        "secretName": certificates.secrets[service],
        "defaultMode": 0o440,
    }
    (container,) = pod["containers"]
    (mount,) = [item for item in container["volumeMounts"] if item["name"] == volume["name"]]
    assert environment_of(f"penstock-{part}")[FOLDER] == mount["mountPath"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["scheme"] == "HTTPS"


def test_no_part_but_the_controller_gets_at_the_ca() -> None:
    for name in ("penstock", "penstock-storage", "penstock-git"):
        assert "penstock-ca" not in str(pod_of(name)["volumes"])


def test_the_chart_refuses_the_networks_that_are_the_default() -> None:
    settings = load_settings(BASE / "controller" / "settings.yaml")
    assert tuple(settings.network.refused) == REFUSED


def test_nothing_of_helm_is_left() -> None:
    for body in bodies():
        labels = body["metadata"].get("labels", {})
        assert "helm.sh/chart" not in labels
        assert labels.get("app.kubernetes.io/managed-by") != "Helm"
