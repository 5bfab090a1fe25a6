"""Where Penstock's own Services are, and that users' calls do not reach them."""

from __future__ import annotations

import pytest

from penstock.controller.app import own_services as module
from penstock.controller.app.own_services import OwnServices
from penstock.kubernetes.api.client import SERVICES, ApiError, Object
from penstock.network import RefusedNetworks
from tests.fixtures.apiserver import ApiServer, Refused

NAMESPACE = "penstock-system"


def service(name: str, *addresses: str) -> Object:
    spec = {"clusterIP": addresses[0], "clusterIPs": [*addresses], "ports": [{"port": 8083}]}
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    monkeypatch.setenv("PENSTOCK_NAMESPACE", NAMESPACE)
    monkeypatch.setenv("PENSTOCK_OWN_SERVICES", "penstock-metrics penstock-git penstock-storage")
    monkeypatch.setattr(module, "AGAIN", 0.01)
    server = ApiServer()
    server.put(SERVICES, service("penstock-git", "10.0.0.7", "2001:db8::7"))
    server.put(SERVICES, service("penstock-storage", "10.0.0.8"))
    return server


async def test_a_service_is_reached_by_its_address(server: ApiServer) -> None:
    services = OwnServices(server.api)
    for _ in range(3):
        assert await services.url("penstock-git") == "http://10.0.0.7:8083"
    assert await services.url("penstock-git", "https") == "https://10.0.0.7:8083"
    assert server.count("GET", SERVICES) == 1
    server.put(SERVICES, service("six", "2001:db8::6"))
    assert await services.url("six") == "http://[2001:db8::6]:8083"
    server.put(SERVICES, service("headless", "None"))
    for name in ("headless", "missing"):
        with pytest.raises(ApiError):
            await services.url(name)


async def test_all_that_are_there_are_refused(server: ApiServer) -> None:
    # given: an API server that is late, and no Service for metrics
    server.refuse("GET", SERVICES, Refused(503, "ServiceUnavailable"), times=2)
    refused = RefusedNetworks([])
    # when
    await OwnServices(server.api).are_refused(refused)
    # then
    assert refused.own == {"10.0.0.7", "2001:db8::7", "10.0.0.8"}
