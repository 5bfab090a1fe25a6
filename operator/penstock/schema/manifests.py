"""The Kustomize base, made of the chart: one description of what is installed, not two.

What belongs to Helm is removed (its labels, the checksum of the settings). The settings become a
file for a `configMapGenerator`, whose hash replaces the checksum.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from penstock.schema.files import HEADER_OF_CHART, dump

NAMESPACE = "penstock-system"

_HELM_LABELS = ("app.kubernetes.io/managed-by", "helm.sh/chart")
_HELM_ANNOTATIONS = ("penstock.dev/settings", "helm.sh/resource-policy")
_FILES = {
    "ServiceAccount": "rbac/serviceaccount.yaml",
    "ClusterRole": "rbac/roles.yaml",
    "ClusterRoleBinding": "rbac/bindings.yaml",
    "Role": "rbac/roles.yaml",
    "RoleBinding": "rbac/bindings.yaml",
    "PersistentVolumeClaim": "controller/storage.yaml",
    "Deployment": "controller/deployment.yaml",
    "Service": "controller/service.yaml",
    "NetworkPolicy": "controller/networkpolicy.yaml",
    "ValidatingAdmissionPolicy": "rbac/fence.yaml",
    "ValidatingAdmissionPolicyBinding": "rbac/fence.yaml",
}


def find_helm(root: Path) -> str | None:
    """The path of Helm, from the PATH or from the test cluster; None where there is neither."""
    places = os.pathsep.join([os.environ.get("PATH", ""), str(root / "build/cluster/bin")])
    return shutil.which("helm", path=places)


def manifest_files(root: Path, helm: str) -> dict[str, str]:
    """Every file of the base that follows from the chart, by its path in the repository."""
    files: dict[str, list[dict[str, Any]]] = {}
    generated: dict[str, str] = {}
    for body in _rendered(root, helm):
        if body["kind"] == "ConfigMap":
            generated["manifests/controller/settings.yaml"] = (
                HEADER_OF_CHART + body["data"]["settings.yaml"]
            )
            continue
        files.setdefault(_FILES[body["kind"]], []).append(_without_helm(body))
    return generated | {
        f"manifests/{name}": HEADER_OF_CHART + "---\n".join(dump(body) for body in bodies)
        for name, bodies in files.items()
    }


def _rendered(root: Path, helm: str) -> Iterator[dict[str, Any]]:
    command = (
        *(helm, "template", "penstock", str(root / "charts/penstock")),
        *("--namespace", NAMESPACE, "--set", "crds.install=false"),
    )
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return (body for body in yaml.safe_load_all(printed) if body)


def _without_helm(body: dict[str, Any]) -> dict[str, Any]:
    metas = [body["metadata"]]
    if body["kind"] == "Deployment":
        metas.append(body["spec"]["template"]["metadata"])
    for meta in metas:
        for label in _HELM_LABELS:
            meta["labels"].pop(label, None)
        annotations = meta.get("annotations", {})
        for annotation in _HELM_ANNOTATIONS:
            annotations.pop(annotation, None)
        if not annotations:
            meta.pop("annotations", None)
    return body
