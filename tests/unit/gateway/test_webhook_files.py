"""Bodies of webhooks that are no text: they are files of the Execution that they start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from penstock.storage.arrivals import AUTHORITIES, KEY, URL, arrivals_key
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace, parse
from tests.fixtures import storageservice
from tests.fixtures.storageservice import Running
from tests.unit.gateway.conftest import HOOK, Gateway, flow

IMAGE = b"\x89PNG\r\n\x1a\n\x00\xff" * 500
ADDRESS = f"{HOOK}/orders/a-long-key"


def know(folder: Path, service: Running) -> None:
    """Mount what the controller keeps for the gateway."""
    values = {URL: service.url, AUTHORITIES: "", KEY: arrivals_key(service.key).hex()}
    for name, value in values.items():
        (folder / name).write_text(value)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Running]:
    """A storage service that the gateway knows."""
    with storageservice.running(tmp_path / "storage") as service:
        know(tmp_path, service)
        yield service


async def call(
    gateway: Gateway, headers: Mapping[str, str] | None = None, body: bytes = IMAGE
) -> tuple[int, Any]:
    answer = await gateway.call(ADDRESS, data=body, headers=headers)
    return answer.status, await answer.json() if answer.status != 204 else None


def files(service: Running) -> list[str]:
    return list(service.storage.of("team").list("/"))


async def test_a_body_that_is_no_text_is_the_executions_own_file(
    gateway: Gateway, storage: Running
) -> None:
    # given
    gateway.has(flow(more='inputs: {image: "{{ trigger.body }}"}'))
    # when
    status, _ = await call(gateway)
    # then
    (execution,) = gateway.executions
    uri = execution["spec"]["trigger"]["variables"]["body"]
    path = parse(uri, "company.team")
    assert status == 200
    assert execution["spec"]["inputs"] == {"image": uri}
    assert ExecutionPlace("company.team", "orders", execution["metadata"]["name"]).holds(path)
    with storage.storage.of("team").open(path) as file:
        assert file.read() == IMAGE


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"a": 1}', "application/json"),
        (b"a=1&b=%FF", "application/x-www-form-urlencoded"),
        ("gr\u00fcn".encode(), "application/octet-stream"),
        ("gr\u00fcn".encode("latin-1"), "text/plain"),
        ("gr\u00fcn".encode("latin-1"), "application/x-own; charset=latin-1"),
        (b"plain", "application/x-own; charset=punycode"),
    ],
)
async def test_a_body_that_is_text_is_no_file(
    gateway: Gateway, storage: Running, body: bytes, content_type: str
) -> None:
    gateway.has(flow())
    status, _ = await call(gateway, {"Content-Type": content_type}, body)
    (execution,) = gateway.executions
    assert status == 200
    assert "kestra://" not in str(execution["spec"]["trigger"]["variables"]["body"])
    assert files(storage) == []


async def test_of_a_call_that_starts_nothing_no_file_is_left(
    gateway: Gateway, storage: Running
) -> None:
    gateway.has(flow(more="when: \"{{ trigger.headers['X-Kind'][0] == 'photo' }}\""))
    assert (await call(gateway, {"X-Kind": "film"}))[0] == 204
    assert files(storage) == []
    assert (await call(gateway, {"X-Kind": "photo"}))[0] == 200
    assert len(files(storage)) == 1


async def test_the_same_delivery_is_one_execution(gateway: Gateway, storage: Running) -> None:
    # given
    gateway.has(flow())
    delivery = {"Idempotency-Key": "delivery-1"}
    first = await call(gateway, delivery)
    # when it is sent again
    again = await call(gateway, delivery)
    # then
    assert first[0] == again[0] == 200
    assert first[1]["id"] == again[1]["id"]
    assert len(gateway.executions) == 1
    # but another one under its id is not taken for it
    assert (await call(gateway, delivery, IMAGE + b"more"))[0] == 409


async def test_without_the_storage_the_sender_is_asked_to_come_again(gateway: Gateway) -> None:
    gateway.has(flow())
    status, told = await call(gateway)
    assert status == 503
    assert "the body is no text, and can't be kept as a file" in told["message"]
    assert gateway.executions == []


async def test_a_namespace_without_room_is_told_to_the_sender(
    gateway: Gateway, tmp_path: Path
) -> None:
    root = Storage.local(str(tmp_path / "small"))
    with storageservice.serving(root, 2**30, quota=1000) as service:
        know(tmp_path, service)
        gateway.has(flow())
        status, told = await call(gateway)
    assert status == 503
    assert "quota" in told["message"]
    assert gateway.executions == []
