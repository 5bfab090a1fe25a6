"""The CA and the certificates that the controller keeps, with its own rights and the real API
server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from e2e.apiserver.controlplane import CONTROLLER, CONTROLLER_NAMESPACE, ControlPlane
from e2e.apiserver.process import connected
from penstock.controller.runtime.certificates import Certificates
from penstock.kubernetes.api.client import SECRETS, Api
from penstock.tls.authority import LIFE, RENEWED, Authority, Pair
from penstock.tls.trust import GIT, STORAGE

AUTHORITY = "penstock-ca"
SERVICES = {STORAGE: "penstock-storage-tls", GIT: "penstock-git-tls"}
AT_ONCE = 6


class Installation:
    """The namespace of the controller, and controllers that start in it."""

    def __init__(self, admin: Api, apis: list[Api]) -> None:
        self.admin = admin
        self.now = datetime.now(UTC)
        self.controllers = [
            Certificates(api, CONTROLLER_NAMESPACE, AUTHORITY, SERVICES, lambda: self.now)
            for api in apis
        ]

    async def all_look(self) -> None:
        """Let each controller look at the certificates, at the same time."""
        await asyncio.gather(*(controller.ensure() for controller in self.controllers))

    async def pair(self, name: str) -> Pair:
        data = (await self.admin.get(SECRETS, CONTROLLER_NAMESPACE, name))["data"]
        texts = {key: base64.b64decode(value).decode() for key, value in data.items()}
        return Pair(texts["tls.crt"], texts["tls.key"])

    async def delete(self) -> None:
        for name in (AUTHORITY, *SERVICES.values()):
            await self.admin.delete(SECRETS, CONTROLLER_NAMESPACE, name)


@pytest.fixture
async def installation(plane: ControlPlane) -> AsyncIterator[Installation]:
    async with AsyncExitStack() as stack:
        admin = Api(await stack.enter_async_context(await connected(plane.kubeconfig("ca-admin"))))
        apis = [
            Api(
                await stack.enter_async_context(
                    await connected(plane.kubeconfig(f"ca-{number}", CONTROLLER))
                )
            )
            for number in range(AT_ONCE)
        ]
        installation = Installation(admin, apis)
        await installation.delete()
        yield installation
        await installation.delete()


async def test_controllers_that_start_at_once_make_one_ca_and_renew_once(
    installation: Installation,
) -> None:
    # when: all of them find nothing
    await installation.all_look()
    # then: each trusts what is kept, and that fits together
    authority = Authority.read(await installation.pair(AUTHORITY))
    for service, secret in SERVICES.items():
        trusted = {controller.authorities(service) for controller in installation.controllers}
        assert trusted == {authority.pem}
        assert authority.stands_behind(await installation.pair(secret), service, installation.now)
    # when: all of them find certificates that are due
    before = await installation.pair(SERVICES[STORAGE])
    installation.now += LIFE - RENEWED + timedelta(minutes=1)
    await installation.all_look()
    # then
    after = await installation.pair(SERVICES[STORAGE])
    assert after != before
    assert authority.stands_behind(after, STORAGE, installation.now)
    assert (await installation.pair(AUTHORITY)).certificate == authority.pem


async def test_a_ca_that_was_deleted_is_made_anew(installation: Installation) -> None:
    # given
    await installation.all_look()
    before = Authority.read(await installation.pair(AUTHORITY))
    # when
    await installation.admin.delete(SECRETS, CONTROLLER_NAMESPACE, AUTHORITY)
    await installation.all_look()
    # then: pods that begin know the one before, with which the service may still serve
    authority = Authority.read(await installation.pair(AUTHORITY))
    assert authority.pem != before.pem
    for controller in installation.controllers:
        assert controller.authorities(STORAGE) == authority.pem + before.pem
