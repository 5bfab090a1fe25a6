"""The Helm chart and the Kustomize base, with the real Helm and the real API server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from penstock.schema.files import stale
from penstock.schema.manifests import manifest_files

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/penstock"
NAMESPACE = "penstock-system"

Body = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("helm")
    assert program is not None, "no helm on the PATH: run the tests by `make e2e`"
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)


def render(**values: Any) -> list[Body]:
    """The chart's objects; `a__b=1` sets the value a.b."""
    settings: list[str] = []
    for name, value in values.items():
        settings += ["--set-json", f"{name.replace('__', '.')}={json.dumps(value)}"]
    done = helm("template", "penstock", str(CHART), "--namespace", NAMESPACE, *settings)
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.safe_load_all(done.stdout) if body]


def of_kind(bodies: list[Body], kind: str) -> list[Body]:
    return [body for body in bodies if body["kind"] == kind]


def settings_of(bodies: list[Body]) -> Body:
    (config_map,) = of_kind(bodies, "ConfigMap")
    settings: Body = yaml.safe_load(config_map["data"]["settings.yaml"])
    return settings


def deployment_of(bodies: list[Body], name: str = "penstock") -> Body:
    (found,) = (body for body in of_kind(bodies, "Deployment") if body["metadata"]["name"] == name)
    return found


def container_of(bodies: list[Body]) -> Body:
    found: Body
    (found,) = deployment_of(bodies)["spec"]["template"]["spec"]["containers"]
    return found


def test_the_chart_is_clean() -> None:
    done = helm("lint", "--strict", str(CHART))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("settings.wrkers", 3),
        ("settings.workers", 0),
        ("settings.jobs.imagge", "x"),
        ("settings.namespaces", ["Not_A_Name"]),
        ("image.pullPolicy", "Sometimes"),
        ("unknown", 1),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: Any) -> None:
    done = helm("template", "x", str(CHART), "--set-json", f"{name}={json.dumps(value)}")

    assert done.returncode != 0
    assert "values don't meet the specifications" in done.stderr


def test_the_crds_are_those_of_the_repository_and_are_kept() -> None:
    written = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    rendered = of_kind(render(), "CustomResourceDefinition")

    assert [body["spec"] for body in rendered] == [body["spec"] for body in written]
    for body in rendered:
        assert body["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        assert body["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/substitute"]


def test_crds_can_be_left_out_or_go_with_the_chart() -> None:
    assert of_kind(render(crds__install=False), "CustomResourceDefinition") == []
    for body in of_kind(render(crds__keep=False), "CustomResourceDefinition"):
        assert "helm.sh/resource-policy" not in body["metadata"]["annotations"]


def test_without_the_gateway_nothing_of_it_is_there() -> None:
    bodies = render(settings__gateway={"enabled": False})
    assert [body["metadata"]["name"] for body in bodies if "gateway" in str(body["metadata"])] == []
    assert settings_of(bodies)["gateway"] == {"enabled": False}


def test_named_namespaces_mean_roles_there_and_nowhere_else() -> None:
    everywhere = of_kind(render(rbac__aggregate=False), "ClusterRole")
    bodies = render(settings__namespaces=["a", "b"], rbac__aggregate=False)

    # Tokens are the cluster's, wherever they are from.
    of_tokens = {"penstock-git", "penstock-metrics", "penstock-gateway-tokens"}
    for kind, names in (
        ("ClusterRole", of_tokens | {"penstock-metrics-reader"}),
        ("ClusterRoleBinding", of_tokens),
    ):
        assert {body["metadata"]["name"] for body in of_kind(bodies, kind)} == names
    roles, bindings = of_kind(bodies, "Role"), of_kind(bodies, "RoleBinding")
    own = [role for role in roles if role["metadata"]["namespace"] == NAMESPACE]
    named = [role["rules"][0]["resourceNames"] for role in own]
    assert sorted(named) == [
        ["https:penstock-storage:storage"],
        ["penstock-ca", "penstock-storage-tls", "penstock-git-tls", "penstock-gateway-arrivals"],
        ["penstock-storage", "penstock-git", "penstock-gateway", "penstock-metrics"],
    ]
    roles = [role for role in roles if role not in own]
    for name, of_one in groupby(roles, lambda role: role["metadata"]["name"]):
        there = list(of_one)
        (whole,) = (role for role in everywhere if role["metadata"]["name"] == name)
        assert [role["metadata"]["namespace"] for role in there] == ["a", "b"]
        assert all(role["rules"] == whole["rules"] for role in there)
    assert len(roles) == 6
    for subject in (binding["subjects"][0] for binding in bindings):
        everybody = subject["kind"] == "Group"  # may read logs, with the token that opens them
        assert everybody or subject["namespace"] == NAMESPACE
    assert settings_of(bodies)["namespaces"] == ["a", "b"]


def test_changed_settings_roll_the_controller_out() -> None:
    def checksum(bodies: list[Body]) -> str:
        found: str = deployment_of(bodies)["spec"]["template"]["metadata"]["annotations"][
            "penstock.dev/settings"
        ]
        return found

    assert checksum(render()) == checksum(render())
    assert checksum(render()) != checksum(render(settings__workers=3))


def test_the_image_is_also_that_of_core_tasks() -> None:
    digest = "sha256:" + "a" * 64
    container = container_of(render(image__repository="r.example/p", image__digest=digest))
    environment = {item["name"]: item.get("value") for item in container["env"]}

    assert container["image"] == environment["PENSTOCK_IMAGE"] == f"r.example/p@{digest}"


def test_the_image_of_scripts_may_say_the_user() -> None:
    """Helm takes nulls away; this one has a meaning."""
    assert settings_of(render())["jobs"]["scriptUser"] == 65532
    assert settings_of(render(settings__jobs__scriptUser=None))["jobs"]["scriptUser"] is None


def test_secrets_of_the_registry_are_for_tasks_too() -> None:
    bodies = render(image__pullSecrets=["registry"])
    deployment = deployment_of(bodies)

    assert deployment["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert settings_of(bodies)["jobs"]["imagePullSecrets"] == ["registry"]


def test_everything_optional_is_valid_for_the_api_server(tmp_path: Path) -> None:
    bodies = render(
        networkPolicy__metricsFrom=[{"namespaceSelector": {}}],
        controller__env=[{"name": "ENV_STAGE", "value": "test"}],
        controller__priorityClassName="system-cluster-critical",
        serviceAccount__annotations={"example.com/role": "penstock"},
        crds__install=False,
        storage__secretName="bucket",
        storage__env=[{"name": "AWS_REGION", "value": "eu-central-1"}],
        storage__persistence__storageClass="fast",
        fullnameOverride="penstock-dry-run",
    )
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(bodies))

    done = kubectl("apply", "--server-side", "--dry-run=server", "--filename", str(file))

    assert done.returncode == 0, done.stderr


def test_a_bucket_needs_no_volume_and_its_secret_is_for_two_containers() -> None:
    bodies = render(
        settings__storage__url="s3://bucket/prefix",
        storage__persistence__enabled=False,
        storage__secretName="bucket",
    )
    pod = deployment_of(bodies)["spec"]["template"]["spec"]

    assert of_kind(bodies, "PersistentVolumeClaim") == []
    assert "storage" not in [volume["name"] for volume in pod["volumes"]]
    for container in pod["containers"]:
        assert container["envFrom"] == [{"secretRef": {"name": "bucket"}}]
    assert settings_of(bodies)["storage"]["url"] == "s3://bucket/prefix"


@pytest.mark.parametrize("name", ["penstock", "penstock-storage"])
@pytest.mark.parametrize(("secret", "may_call"), [("keys", False), ("", True)])
def test_a_bucket_that_an_identity_opens_lets_its_tokens_be_asked_for(
    name: str, secret: str, may_call: bool
) -> None:
    """Clouds serve the tokens of pods' identities at link-local addresses."""
    policies = of_kind(
        render(
            settings__storage__url="gs://bucket",
            storage__persistence__enabled=False,
            storage__secretName=secret,
        ),
        "NetworkPolicy",
    )
    by_name = {body["metadata"]["name"]: body["spec"]["egress"] for body in policies}
    for part in (name, "penstock-git"):
        (rule,) = [rule for rule in by_name[part] if "to" in rule]
        blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
        is_refused = any("169.254.0.0/16" in block.get("except", ()) for block in blocks)
        assert is_refused is (part == "penstock-git" or not may_call), part


def test_without_network_policies_there_are_none() -> None:
    assert of_kind(render(networkPolicy__enabled=False), "NetworkPolicy") == []
    monitoring = {"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}
    policies = of_kind(render(networkPolicy__metricsFrom=[monitoring]), "NetworkPolicy")
    (own,) = [body for body in policies if body["metadata"]["name"] == "penstock"]
    assert [rule.get("from") for rule in own["spec"]["ingress"]] == [[monitoring], None]


def test_a_folder_needs_a_volume() -> None:
    done = helm("template", "x", str(CHART), "--set", "storage.persistence.enabled=false")
    assert "name a bucket" in done.stderr


@pytest.mark.parametrize("of_tasks", [False, True])
def test_a_service_monitor_reads_the_metrics_of_tasks_where_that_is_wanted(of_tasks: bool) -> None:
    wanted = {"metrics__serviceMonitor__enabled": True}
    wanted["metrics__serviceMonitor__taskMetrics"] = of_tasks
    (monitor,) = of_kind(render(**wanted), "ServiceMonitor")
    own, *others = monitor["spec"]["endpoints"]
    assert "path" not in own
    assert [(item["path"], "bearerTokenFile" in item) for item in others] == (
        [("/metrics/tasks", True)] if of_tasks else []
    )


def test_a_service_monitor_needs_its_service() -> None:
    assert of_kind(render(metrics__serviceMonitor__enabled=True), "ServiceMonitor")
    done = helm(
        *("template", "x", str(CHART), "--set", "metrics.serviceMonitor.enabled=true"),
        *("--set", "metrics.service.enabled=false"),
    )
    assert "needs metrics.service.enabled" in done.stderr


def test_the_kustomize_base_is_what_the_chart_makes() -> None:
    program = shutil.which("helm")
    assert program is not None

    assert stale(ROOT, manifest_files(ROOT, program)) == [], "run `make generate`"


def test_the_kustomize_base_is_valid_for_the_api_server(tmp_path: Path) -> None:
    built = kubectl("kustomize", str(ROOT / "manifests/default"))
    assert built.returncode == 0, built.stderr
    (tmp_path / "all.yaml").write_text(built.stdout)

    done = kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server"),
        *("--filename", str(tmp_path / "all.yaml")),
    )

    assert done.returncode == 0, done.stderr


def test_an_overlay_as_the_readme_has_it_names_its_image_everywhere(tmp_path: Path) -> None:
    # given
    shutil.copytree(ROOT / "manifests", tmp_path / "penstock/manifests")
    readme = (ROOT / "manifests/README.md").read_text()
    (overlay,) = (part for part in readme.split("```yaml\n") if "images:\n" in part)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(overlay.partition("```")[0])

    # when
    built = kubectl("kustomize", str(folder))

    # then
    assert built.returncode == 0, built.stderr
    assert "registry.example.com/penstock:0.1.0" in built.stdout
    named = [line for line in built.stdout.splitlines() if "penstock:0.1.0" in line]
    assert [line for line in named if "registry.example.com/penstock:0.1.0" not in line] == []
    (fence,) = (
        body
        for body in yaml.safe_load_all(built.stdout)
        if body["metadata"]["name"] == "penstock-system-penstock-listeners"
        and body["kind"] == "ValidatingAdmissionPolicy"
    )
    variables = {item["name"]: item["expression"] for item in fence["spec"]["variables"]}
    assert variables["image"] == "'registry.example.com/penstock:0.1.0'"


ACCOUNT = f"system:serviceaccount:{NAMESPACE}:penstock"


@pytest.mark.parametrize(
    ("verb", "group", "resource", "allowed"),
    [
        ("create", "batch", "jobs", True),
        ("watch", "", "pods", True),
        ("patch", "penstock.dev", "flows", True),
        ("get", "", "secrets", False),
        ("list", "", "secrets", False),
        ("list", "", "configmaps", False),
        ("delete", "", "configmaps", False),
        ("create", "", "pods", False),
        ("delete", "", "pods", False),
        ("list", "", "namespaces", False),
        ("list", "apiextensions.k8s.io", "customresourcedefinitions", False),
        ("create", "", "serviceaccounts/token", False),
        ("create", "", "pods/exec", False),
    ],
)
def test_the_installed_controller_may(verb: str, group: str, resource: str, allowed: bool) -> None:
    """The API server's own authorizer says what the controller may do, in any namespace."""
    api = client.AuthorizationV1Api(config.new_client_from_config())
    name, _, part = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": name, "subresource": part}

    answer = api.create_subject_access_review(
        {"spec": {"user": ACCOUNT, "resourceAttributes": attributes | {"namespace": "default"}}}
    )

    assert answer.status.allowed is allowed


def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["kubectl", *arguments], capture_output=True, text=True, timeout=60, env=os.environ
    )
