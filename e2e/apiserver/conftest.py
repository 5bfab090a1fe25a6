"""One etcd and one API server for all tests of this folder, with the CRDs in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.apiserver import clock
from e2e.apiserver.controller import connected
from e2e.apiserver.controlplane import ControlPlane, program
from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import Api, ApiError, Resource

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
_CRD_FOLDER = Path(__file__).resolve().parents[2] / "crds"


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("plane"), program())
    plane.start()
    try:
        asyncio.run(_install_crds(plane))
        clock.install()
        yield plane
    finally:
        plane.stop()


@pytest.fixture
async def stage(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Stage]:
    """A namespace of its own, with a controller, the network to it, and nodes."""
    async with Stage.opened(plane, tmp_path) as stage:
        os.environ["KUBECONFIG"] = str(stage.kubeconfig)
        yield stage


async def _install_crds(plane: ControlPlane) -> None:

    async with await connected(plane.kubeconfig("crds")) as client:
        api = Api(client)
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
