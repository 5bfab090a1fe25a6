"""The network policies of the Kustomize base, and the one for tasks in the docs, are taken by the
real API server as they stand: it drops no field and corrects none."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from e2e.apiserver.controlplane import ControlPlane
from e2e.apiserver.process import connected
from penstock.kubernetes.api.client import Api, Object, Resource

ROOT = Path(__file__).parents[2]
NAMESPACES = Resource("", "v1", "namespaces")
POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies")


def policies() -> list[Any]:
    shipped = (ROOT / "manifests/controller/networkpolicy.yaml").read_text()
    shown = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/security.md").read_text(), re.DOTALL)
    bodies = [body for text in (shipped, *shown) for body in yaml.safe_load_all(text)]
    return [body for body in bodies if body["kind"] == "NetworkPolicy"]


@pytest.fixture
async def api(plane: ControlPlane) -> AsyncIterator[Api]:
    async with await connected(plane.kubeconfig("network-policies")) as client:
        yield Api(client)


@pytest.fixture
async def namespace(api: Api) -> str:
    name = f"net-{uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await api.create(NAMESPACES, "", body)
    return name


def test_each_part_and_the_tasks_have_one() -> None:
    assert len(policies()) == 5


@pytest.mark.parametrize("policy", policies(), ids=lambda body: str(body["metadata"]["name"]))
async def test_a_policy_is_taken_as_it_stands(api: Api, namespace: str, policy: Object) -> None:
    # when
    body = {**policy, "metadata": {"name": policy["metadata"]["name"]}}
    made = await api.create(POLICIES, namespace, body)
    # then
    assert made["spec"] == policy["spec"]
