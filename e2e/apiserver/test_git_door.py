"""Whom the Git service lets in, by tokens that the real API server has made and looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from e2e.apiserver.controlplane import ControlPlane
from e2e.apiserver.process import connected
from penstock.git.wire import AUDIENCE
from penstock.git_service.door import ReviewDoor, is_admitted
from penstock.kubernetes.api.client import Api, Resource

NAMESPACES = Resource("", "v1", "namespaces")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")


class Tokens:
    """A namespace in which service accounts get tokens."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self.namespace = namespace

    async def of(self, account: str, audience: str = AUDIENCE) -> str:
        """A token as the kubelet asks for it, for a projected volume."""
        meta = {"name": account}
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
        if not await self._api.list(
            SERVICE_ACCOUNTS, self.namespace, fields=f"metadata.name={account}"
        ):
            await self._api.create(SERVICE_ACCOUNTS, self.namespace, body)
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": 3600},
        }
        answer = await self._api._call(
            "POST", SERVICE_ACCOUNTS, self.namespace, account, "token", body=asked
        )
        token: str = answer["status"]["token"]
        return token


@pytest.fixture
async def api(plane: ControlPlane) -> AsyncIterator[Api]:
    async with await connected(plane.kubeconfig("git-door")) as client:
        yield Api(client)


@pytest.fixture
async def tokens(api: Api) -> Tokens:
    name = f"git-{uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await api.create(NAMESPACES, "", body)
    return Tokens(api, name)


async def test_only_the_controllers_token_for_git_opens_the_door(api: Api, tokens: Tokens) -> None:
    # given
    door = ReviewDoor(api, f"system:serviceaccount:{tokens.namespace}:penstock")
    own = await tokens.of("penstock")
    # then
    assert await is_admitted(door, f"Bearer {own}") is True
    others = {
        "another account's": await tokens.of("tenant"),
        "for the API server": await tokens.of("penstock", "https://kubernetes.default.svc"),
        "signed by nobody": own[:-8] + "AAAAAAAA",
        "cut": own[:-40],
    }
    for what, token in others.items():
        assert await is_admitted(door, f"Bearer {token}") is False, what
