"""Who reads the metrics of tasks: tokens and rights as the real API server knows them, asked with
the controller's own rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiohttp.test_utils import TestClient, TestServer

from e2e.apiserver.controlplane import CONTROLLER, ControlPlane
from e2e.apiserver.process import connected
from e2e.apiserver.test_git_door import NAMESPACES, Tokens
from e2e.cluster.components import ISSUER
from penstock.controller.app.metrics_endpoint import (
    AUDIENCE,
    TASKS_PATH,
    MetricsReaders,
    metrics_app,
)
from penstock.controller.runtime.metrics import Metrics
from penstock.kubernetes.api.client import Api, Resource
from penstock.kubernetes.api.reviews import User, may_get

BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings")


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[Api]:
    async with await connected(plane.kubeconfig("metrics-admin")) as client:
        yield Api(client)


@pytest.fixture
async def endpoint(plane: ControlPlane) -> AsyncIterator[TestClient[Any, Any]]:
    async with await connected(plane.kubeconfig("metrics-controller", CONTROLLER)) as client:
        app = metrics_app(Metrics(), MetricsReaders(Api(client)))
        async with TestClient(TestServer(app)) as endpoint:
            yield endpoint


@pytest.fixture
async def tokens(admin: Api) -> Tokens:
    name = f"metrics-{uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await admin.create(NAMESPACES, "", body)
    return Tokens(admin, name)


async def bind(admin: Api, namespace: str, account: str) -> None:
    """Bind an account to the chart's role, as the page on operations says, and wait until that is
    in force."""
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": namespace},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "penstock-metrics-reader",
        },
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    await admin.create(BINDINGS, "", body)
    bound = User(f"system:serviceaccount:{namespace}:{account}")
    for _ in range(200):
        if await may_get(admin, bound, TASKS_PATH):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the binding never comes into force")


async def test_who_is_bound_to_the_role_reads_them_and_nobody_else_does(
    admin: Api, endpoint: TestClient[Any, Any], tokens: Tokens
) -> None:
    # given
    await bind(admin, tokens.namespace, "prometheus")
    bound, made_for_it = (
        await tokens.of("prometheus", ISSUER),
        await tokens.of("prometheus", AUDIENCE),
    )
    shown = {
        "the token of who is bound": (bound, 200),
        "one that was made for it": (made_for_it, 200),
        "one for something else": (await tokens.of("prometheus", "penstock-git"), 401),
        "a tenant's": (await tokens.of("tenant", ISSUER), 403),
        "a tenant's that was made for it": (await tokens.of("tenant", AUDIENCE), 403),
        "signed by nobody": (bound[:-8] + "AAAAAAAA", 401),
    }
    # then
    for what, (token, expected) in shown.items():
        headers = {"Authorization": f"Bearer {token}"}
        async with endpoint.get(TASKS_PATH, headers=headers) as response:
            assert response.status == expected, f"{what}: {await response.text()}"
    async with endpoint.get("/metrics") as response:
        assert response.status == 200
