"""The CA and the certificates that the controller keeps in Secrets of its own namespace."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from penstock.controller.app.git_service import git_service
from penstock.controller.app.own_services import OwnServices
from penstock.controller.files.storage_access import StorageAccess
from penstock.controller.gitsources.git_client import GitServiceUnavailable
from penstock.controller.runtime import certificates as module
from penstock.controller.runtime.certificates import Certificates, CertificatesMissing
from penstock.controller.runtime.settings import GitSettings
from penstock.git import Reference, Remote
from penstock.git.wire import Done, Resolved, encoded
from penstock.kubernetes.api.client import SECRETS, SERVICES, Object
from penstock.network import RefusedNetworks
from penstock.storage.errors import StorageUnavailable
from penstock.storage.grants import Grant
from penstock.storage.key import create_key
from penstock.storage.settings import StorageSettings, opened
from penstock.tls.authority import AUTHORITY_LIFE, AUTHORITY_RENEWED, LIFE, RENEWED, Authority, Pair
from penstock.tls.serving import ServedCertificate
from penstock.tls.trust import GIT, STORAGE, trusting
from tests.fixtures.apiserver import ApiServer, Refused
from tests.fixtures.certificates import Mounted
from tests.fixtures.controller import until
from tests.fixtures.storageservice import GRANT

NAMESPACE = "penstock-system"
AUTHORITY, STORAGE_SECRET, GIT_SECRET = "penstock-ca", "penstock-storage-tls", "penstock-git-tls"
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


class Given:
    """An API server, and a controller that keeps its certificates there."""

    def __init__(self, now: datetime = NOW) -> None:
        self.server = ApiServer()
        self.now = now
        self.certificates = self.another_controller()

    def another_controller(self) -> Certificates:
        """One that has just started, and knows nothing yet."""
        services = {STORAGE: STORAGE_SECRET, GIT: GIT_SECRET}
        return Certificates(self.server.api, NAMESPACE, AUTHORITY, services, lambda: self.now)

    async def kept(self) -> None:
        """Let a look at the certificates pass."""
        await self.certificates.ensure()

    def secret(self, name: str) -> Object:
        body = self.server.get(SECRETS, NAMESPACE, name)
        assert body is not None
        return body

    def version(self, name: str) -> str:
        version: str = self.secret(name)["metadata"]["resourceVersion"]
        return version

    def text(self, name: str, key: str = "tls.crt") -> str:
        return base64.b64decode(self.secret(name)["data"][key]).decode()

    def pair(self, name: str) -> Pair:
        return Pair(self.text(name), self.text(name, "tls.key"))

    @property
    def authority(self) -> Authority:
        return Authority.read(self.pair(AUTHORITY))

    def delete(self, name: str) -> None:
        self.server.remove(SECRETS, NAMESPACE, name)

    def change(self, name: str, key: str, text: str) -> None:
        body = self.secret(name)
        body["data"][key] = base64.b64encode(text.encode()).decode()
        self.server.put(SECRETS, body)


async def test_a_controller_that_starts_makes_a_ca_and_a_certificate_for_each_service() -> None:
    # given
    given = Given()
    with pytest.raises(CertificatesMissing):
        given.certificates.authorities(STORAGE)
    # when
    await given.kept()
    # then
    assert given.authority.stands_behind(given.pair(STORAGE_SECRET), STORAGE, NOW)
    assert given.authority.stands_behind(given.pair(GIT_SECRET), GIT, NOW)
    assert given.certificates.authorities(STORAGE) == given.text(AUTHORITY)
    # and what the kubelet gives the services is no way to a CA
    assert {*given.secret(STORAGE_SECRET)["data"]} == {"tls.crt", "tls.key", "ca.crt"}
    for name in (AUTHORITY, STORAGE_SECRET, GIT_SECRET):
        assert given.secret(name)["type"] == "kubernetes.io/tls"


async def test_what_is_there_is_left_as_it_is() -> None:
    # given
    given = Given()
    await given.kept()
    versions = [given.version(name) for name in (AUTHORITY, STORAGE_SECRET, GIT_SECRET)]
    # when: the controller starts anew, the day before the certificates are due
    given.now = NOW + LIFE - RENEWED - timedelta(days=1)
    again = given.another_controller()
    await again.ensure()
    # then
    assert [given.version(n) for n in (AUTHORITY, STORAGE_SECRET, GIT_SECRET)] == versions
    assert again.authorities(GIT) == given.certificates.authorities(GIT)


async def test_certificates_are_renewed_when_they_are_due_and_pods_know_them() -> None:
    # given
    given = Given()
    await given.kept()
    known, before = given.certificates.authorities(STORAGE), given.pair(STORAGE_SECRET)
    # when
    given.now = NOW + LIFE - RENEWED
    await given.kept()
    # then: by what they were given before
    assert given.pair(STORAGE_SECRET) != before
    assert given.authority.stands_behind(given.pair(STORAGE_SECRET), STORAGE, given.now)
    assert given.certificates.authorities(STORAGE) == known


async def test_the_ca_is_renewed_with_its_key() -> None:
    # given: a year before its end, and services whose certificates are not due
    given = Given()
    await given.kept()
    first = given.authority
    given.now = NOW + AUTHORITY_LIFE - AUTHORITY_RENEWED - A_SECOND
    await given.kept()
    assert given.authority.pem == first.pem
    version = given.version(STORAGE_SECRET)
    # when
    given.now += A_SECOND
    await given.kept()
    # then: pods that begin know it by its new certificate, and those that run by the old one
    assert given.authority.pem != first.pem
    assert given.certificates.authorities(STORAGE) == given.authority.pem
    assert first.stands_behind(given.authority.issue(GIT, given.now), GIT, given.now)
    # and the services go on as they are
    assert given.version(STORAGE_SECRET) == version


async def test_a_ca_that_was_deleted_is_made_anew_and_the_one_before_is_known_for_a_while() -> None:
    # given
    given = Given()
    await given.kept()
    before = given.authority
    # when
    given.delete(AUTHORITY)
    given.certificates = given.another_controller()
    await given.kept()
    # then: pods that begin now take both, since the service may still serve with the old one
    both = given.authority.pem + before.pem
    assert given.authority.stands_behind(given.pair(STORAGE_SECRET), STORAGE, NOW)
    assert given.certificates.authorities(STORAGE) == both
    assert given.text(STORAGE_SECRET, "ca.crt") == both
    # and the next certificate forgets it
    given.now = NOW + LIFE - RENEWED
    await given.kept()
    assert given.certificates.authorities(STORAGE) == given.authority.pem


@pytest.mark.parametrize("key", ["tls.crt", "tls.key"])
async def test_a_certificate_that_somebody_spoils_is_issued_anew(key: str) -> None:
    given = Given()
    await given.kept()
    given.change(STORAGE_SECRET, key, "spoilt")
    await given.kept()
    assert given.authority.stands_behind(given.pair(STORAGE_SECRET), STORAGE, NOW)


async def test_a_ca_that_somebody_spoils_is_told_and_not_overwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    monkeypatch.setattr(module, "AGAIN", 0.01)
    given = Given()
    await given.kept()
    good = given.text(AUTHORITY)
    given.change(AUTHORITY, "tls.crt", "spoilt")
    version = given.version(AUTHORITY)
    # when
    again = given.another_controller()
    running = asyncio.create_task(again.run())
    # then
    await until(lambda: f"the Secret `{AUTHORITY}` in `{NAMESPACE}` holds no CA" in missing(again))
    assert "delete it" in missing(again)
    assert given.version(AUTHORITY) == version
    # and when it is put back, all goes on
    given.change(AUTHORITY, "tls.crt", good)
    await until(lambda: not missing(again))
    running.cancel()


def missing(certificates: Certificates) -> str:
    """Why pods can't be told how the storage service is known."""
    try:
        certificates.authorities(STORAGE)
    except CertificatesMissing as error:
        return str(error)
    return ""


async def test_controllers_that_start_at_once_make_one_ca() -> None:
    # given
    given = Given()
    controllers = [given.another_controller() for _ in range(5)]
    # when
    await asyncio.gather(*(controller.ensure() for controller in controllers))
    # then: each knows what is kept
    assert {item.authorities(STORAGE) for item in controllers} == {given.text(AUTHORITY)}
    assert given.authority.stands_behind(given.pair(STORAGE_SECRET), STORAGE, NOW)
    # and when it is due, it is renewed once
    given.now = NOW + LIFE - RENEWED
    await asyncio.gather(*(controller.ensure() for controller in controllers))
    assert given.authority.stands_behind(given.pair(STORAGE_SECRET), STORAGE, given.now)


async def test_what_is_known_counts_while_the_api_server_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    monkeypatch.setattr(module, "AGAIN", 0.01)
    given = Given()
    come = given.server.refuse("GET", SECRETS, Refused(503, "ServiceUnavailable", "later"))
    running = asyncio.create_task(given.certificates.run())
    await until(lambda: "later" in missing(given.certificates))
    # when
    come()
    # then
    await until(lambda: not missing(given.certificates))
    running.cancel()
    given.server.refuse("GET", SECRETS, Refused(503, "ServiceUnavailable", "later"))
    assert given.certificates.authorities(STORAGE)
    assert given.certificates.trust(STORAGE) is given.certificates.trust(STORAGE)


def test_without_a_name_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_AUTHORITY", raising=False)
    assert Certificates.of_environment(ApiServer().api) is None


@pytest.fixture
def in_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the controller, as the chart makes it."""
    for name, value in {
        "PENSTOCK_NAMESPACE": NAMESPACE,
        "PENSTOCK_AUTHORITY": AUTHORITY,
        "PENSTOCK_STORAGE_SERVICE": "penstock-storage",
        "PENSTOCK_GIT_SERVICE": "penstock-git",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("in_cluster")
@pytest.mark.parametrize("service_url", [None, "https://files.example.com"])
async def test_a_pod_is_told_how_the_storage_service_is_known(
    tmp_path: Path, service_url: str | None
) -> None:
    # given
    server = ApiServer()
    server.put(SERVICES, service("penstock-storage", "10.0.0.8", 8082))
    settings = StorageSettings(url=f"file://{tmp_path}", service_url=service_url)
    key = create_key(opened(settings))
    certificates = Certificates.of_environment(server.api)
    assert certificates is not None
    access = StorageAccess(server.api, settings, certificates)
    await asyncio.wait_for(access.run(), 10)
    if service_url is None:
        with pytest.raises(StorageUnavailable, match="not looked for yet"):
            access.environment(GRANT)
    # when
    await certificates.ensure()
    made = access.environment(GRANT)
    # then
    assert Grant.verified(made.pop("PENSTOCK_STORAGE_GRANT"), key).job == GRANT.job
    if service_url is not None:  # somebody else's, in front of the service
        assert made == {"PENSTOCK_STORAGE_URL": service_url}
        return
    pem = made.pop("PENSTOCK_STORAGE_CA")
    assert made == {"PENSTOCK_STORAGE_URL": "https://10.0.0.8:8082"}
    assert trusting(pem).get_ca_certs()
    # and what pods are given is public
    assert "PRIVATE" not in pem


def service(name: str, address: str, port: int) -> Object:
    spec = {"clusterIP": address, "clusterIPs": [address], "ports": [{"port": port}]}
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


@pytest.mark.usefixtures("in_cluster")
async def test_the_controller_shows_its_token_to_its_own_git_service_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a Git service, first with a certificate of another installation
    token = tmp_path / "token"
    token.write_text("the-token")
    monkeypatch.setenv("PENSTOCK_GIT_TOKEN", str(token))
    given, stranger = Given(datetime.now(UTC)), Given(datetime.now(UTC))
    for one in (given, stranger):
        await one.kept()
    mounted = Mounted(tmp_path / "tls")
    mounted.put(stranger.pair(GIT_SECRET))
    served = ServedCertificate(mounted.folder)
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(body=encoded(Resolved("c" * 40)) + encoded(Done()))

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=served.context).start()
    port = runner.addresses[0][1]
    given.server.put(SERVICES, service("penstock-git", "127.0.0.1", port))
    services = OwnServices(given.server.api)
    remote = Remote("https://git.example.com/x.git", Reference())
    async with git_service(GitSettings(), services, RefusedNetworks(), given.certificates) as git:
        with pytest.raises(GitServiceUnavailable, match=r"can't be reached: .*certificate"):
            await git.resolve("team", remote)
        assert seen == []
        # when: its own
        mounted.put(given.pair(GIT_SECRET))
        served.renew()
        # then
        assert await git.resolve("team", remote) == "c" * 40
        # and one of the storage service's is none
        mounted.put(given.pair(STORAGE_SECRET))
        served.renew()
        await git.close()
    async with git_service(GitSettings(), services, RefusedNetworks(), given.certificates) as git:
        with pytest.raises(GitServiceUnavailable, match="certificate"):
            await git.resolve("team", remote)
    await runner.cleanup()
    assert seen == ["Bearer the-token"]


@pytest.mark.usefixtures("in_cluster")
async def test_without_its_certificates_the_git_service_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("the-token")
    monkeypatch.setenv("PENSTOCK_GIT_TOKEN", str(token))
    given = Given()
    given.server.put(SERVICES, service("penstock-git", "127.0.0.1", 9))
    async with git_service(
        GitSettings(), OwnServices(given.server.api), RefusedNetworks(), given.certificates
    ) as git:
        with pytest.raises(GitServiceUnavailable, match="not looked for yet"):
            await git.resolve("team", Remote("https://git.example.com/x.git", Reference()))
