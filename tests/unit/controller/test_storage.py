"""How the controller finds the storage service, and what it does until then."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from penstock.controller.files import storage_access as module
from penstock.controller.files.storage_access import StorageAccess
from penstock.kubernetes.api.client import SERVICES, Api, ApiError, Object, Resource
from penstock.storage.errors import StorageUnavailable
from penstock.storage.grants import Grant
from penstock.storage.key import create_key
from penstock.storage.settings import StorageSettings, opened
from penstock.storage.uris import ExecutionPlace

GRANT = Grant(
    tenant="team",
    place=ExecutionPlace("company", "flow", "run"),
    owner="uid",
    task="t",
    task_run="r",
    job="job",
    expires=datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1),
)


class OneService:
    """An API server that has this Service, from the second question on."""

    def __init__(self, address: str) -> None:
        self._spec = {"clusterIP": address, "ports": [{"port": 8082}]}
        self.asked = 0

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        assert (resource, namespace, name) == (SERVICES, "system", "penstock-storage")
        self.asked += 1
        if self.asked == 1:
            raise ApiError(404, "NotFound", "no such Service")
        return {"spec": self._spec}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_NAMESPACE", "system")
    monkeypatch.setenv("PENSTOCK_STORAGE_SERVICE", "penstock-storage")
    monkeypatch.setattr(module, "AGAIN", 0.01)


def access(folder: Path, address: str = "10.0.0.1", **said: Any) -> StorageAccess:
    settings = StorageSettings(url=f"file://{folder}", **said)
    return StorageAccess(cast("Api", OneService(address)), settings)


def refusal(storage: StorageAccess) -> str:
    """Why there is no grant."""
    with pytest.raises(StorageUnavailable) as refused:
        storage.grant(GRANT)
    return str(refused.value)


async def test_until_the_service_is_there_grants_are_refused(tmp_path: Path) -> None:
    # given
    storage = access(tmp_path)
    running = asyncio.create_task(storage.run())
    # then
    async with asyncio.timeout(10):
        while "no signing key yet" not in refusal(storage):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    # when
    key = create_key(opened(StorageSettings(url=f"file://{tmp_path}")))
    await asyncio.wait_for(running, 10)
    # then
    assert storage.url == "http://10.0.0.1:8082"
    assert Grant.verified(storage.grant(GRANT), key) == GRANT


@pytest.mark.parametrize(
    ("address", "said", "url"),
    [
        ("fd00::1", {}, "http://[fd00::1]:8082"),
        ("None", {"service_url": "https://files.example.com/"}, "https://files.example.com"),
    ],
)
async def test_the_address_is_that_of_the_service_or_the_one_that_is_set(
    tmp_path: Path, address: str, said: dict[str, Any], url: str
) -> None:
    # given
    storage = access(tmp_path, address, **said)
    create_key(opened(StorageSettings(url=f"file://{tmp_path}")))
    # when
    await asyncio.wait_for(storage.run(), 10)
    # then
    assert storage.url == url
