"""One etcd and one API server for all tests of this folder, with the CRDs and the controller's
rights in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.apiserver import controller
from e2e.apiserver.background import played
from e2e.apiserver.controlplane import CONTROLLER_NAMESPACE, ControlPlane, program
from e2e.apiserver.process import connected
from e2e.apiserver.stage import Stage
from e2e.fixtures.kubernetes import Kubernetes
from e2e.fixtures.scenario import Scenario
from penstock.kubernetes.api.client import Api, ApiError, Resource

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
NAMESPACES = Resource("", "v1", "namespaces")
_REPOSITORY = Path(__file__).resolve().parents[2]
_CRD_FOLDER = _REPOSITORY / "crds"
_RIGHTS = _REPOSITORY / "manifests" / "rbac"
_OF_RIGHTS = {
    kind: Resource("rbac.authorization.k8s.io", "v1", f"{kind.lower()}s")
    for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
} | {
    "ValidatingAdmissionPolicy": Resource(
        "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies"
    ),
    "ValidatingAdmissionPolicyBinding": Resource(
        "admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings"
    ),
}


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("plane"), program())
    plane.start()
    try:
        controller.prepare()
        asyncio.run(_install(plane))
        yield plane
    finally:
        plane.stop()


@pytest.fixture
async def stage(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Stage]:
    """A namespace of its own, with a controller, the network to it, and nodes."""
    async with Stage.opened(plane, tmp_path) as stage:
        yield stage


@pytest.fixture
def scenario(plane: ControlPlane, tmp_path: Path) -> Iterator[Scenario]:
    """A namespace of its own with a controller at work, for tests in the words of `e2e/tests`."""
    with played(plane, tmp_path) as stage:
        yield Scenario(Kubernetes(plane.kubeconfig("scenario")), stage.namespace)


async def _install(plane: ControlPlane) -> None:
    """Install what the chart does but for the controller: its rights, and the CRDs."""
    async with await connected(plane.kubeconfig("install")) as client:
        api = Api(client)
        namespace = {"apiVersion": "v1", "kind": "Namespace"}
        await api.create(NAMESPACES, "", namespace | {"metadata": {"name": CONTROLLER_NAMESPACE}})
        for name in ("roles.yaml", "bindings.yaml", "fence.yaml"):
            for body in yaml.safe_load_all((_RIGHTS / name).read_text()):
                meta = body["metadata"]
                kind, inside = _OF_RIGHTS[body["kind"]], meta.get("namespace", "")
                await api.apply(kind, inside, meta["name"], body, "tests")
        for path in sorted(_CRD_FOLDER.glob("*.yaml")):
            crd: dict[str, Any] = yaml.safe_load(path.read_text())
            await api.apply(CRDS, "", crd["metadata"]["name"], crd, "tests")
            await _established(api, crd)


async def _established(api: Api, crd: dict[str, Any]) -> None:
    kind = Resource(crd["spec"]["group"], "v1alpha1", crd["spec"]["names"]["plural"])
    for _ in range(200):
        try:
            await api.list(kind)
            return
        except ApiError:
            await asyncio.sleep(0.05)
    raise RuntimeError(f"{kind.plural} are not served")
