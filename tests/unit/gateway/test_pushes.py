"""Push hooks of Git servers: they mark GitSources, tell nothing and do little."""

from __future__ import annotations

import asyncio

import pytest

from penstock.kubernetes.api.client import GIT_SOURCES
from penstock.resources.gitsource import PUSH_ANNOTATION
from tests.unit.gateway.conftest import Gateway

PUSH = "/api/v1/gitsources/team/flows/push"


def source(gateway: Gateway) -> str | None:
    """When the GitSource was last marked."""
    body = gateway.server.get(GIT_SOURCES, "team", "flows") or {}
    mark: str | None = (body["metadata"].get("annotations") or {}).get(PUSH_ANNOTATION)
    return mark


async def push(gateway: Gateway, path: str = PUSH) -> None:
    answer = await gateway.call(path, data=b'{"ref": "refs/heads/main"}')
    assert (answer.status, await answer.text()) == (202, "")
    await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def there(gateway: Gateway) -> None:
    body = {"metadata": {"name": "flows", "namespace": "team"}, "spec": {"url": "https://x/y"}}
    gateway.server.put(GIT_SOURCES, body)


async def test_a_push_marks_the_source(gateway: Gateway) -> None:
    await push(gateway)
    assert source(gateway) is not None
    spec = (gateway.server.get(GIT_SOURCES, "team", "flows") or {})["spec"]
    assert spec == {"url": "https://x/y"}


async def test_a_source_is_marked_once_in_ten_seconds(gateway: Gateway) -> None:
    await push(gateway)
    first = source(gateway)
    gateway.now += 9
    await push(gateway)
    assert source(gateway) == first
    gateway.now += 2
    await push(gateway)
    assert source(gateway) != first


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/gitsources/team/missing/push",
        "/api/v1/gitsources/other/flows/push",
        "/api/v1/gitsources/team/..%2Fflows/push",
        "/api/v1/gitsources/Team/flows/push",
    ],
)
async def test_what_is_not_there_is_answered_alike(gateway: Gateway, path: str) -> None:
    await push(gateway, path)
    assert source(gateway) is None


async def test_guessed_names_cost_the_api_server_little_and_known_ones_nothing(
    gateway: Gateway,
) -> None:
    # given
    await push(gateway)
    first = source(gateway)
    # when: somebody tries names
    for number in range(200):
        await gateway.call(f"/api/v1/gitsources/team/guess-{number}/push")
    await asyncio.sleep(0.01)
    # then
    assert gateway.server.count("PATCH", GIT_SOURCES) <= 51
    # and one that is known is marked all the same
    gateway.now += 11
    for number in range(200):
        await gateway.call(f"/api/v1/gitsources/team/more-{number}/push")
    await push(gateway)
    assert source(gateway) != first
