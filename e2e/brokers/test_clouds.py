"""Objects of Google Cloud Storage and blobs of Azure: each fires once, and is moved or deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession
from azure.storage.blob.aio import ContainerClient

from e2e.brokers.listening import content_of, polled
from e2e.fixtures.cloudstores import azurite, fake_gcs
from e2e.fixtures.objectstore import BUCKET, ObjectStore
from penstock.listener.source import Polled, SourceError
from penstock.listener.sources.addresses import REFUSED_VARIABLE
from penstock.triggers.objects.azure import AZURE
from penstock.triggers.objects.gcs import GCS


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with fake_gcs(tmp_path_factory.mktemp("gcs")) as store:
        yield store


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with azurite(tmp_path_factory.mktemp("azure")) as store:
        yield store


@dataclass
class Store:
    """A store, as who puts objects into it and looks at it."""

    type: str
    properties: dict[str, Any]
    move: dict[str, Any]
    """What moves objects below `inbox/done`."""
    client: Any

    async def put(self, name: str, text: str = "content") -> None:
        if self.type == AZURE:
            await self.client.upload_blob(name, text.encode(), overwrite=True)
            return
        session, url = self.client
        query = {"uploadType": "media", "name": name}
        path = f"{url}/upload/storage/v1/b/{BUCKET}/o"
        async with session.post(path, params=query, data=text.encode()) as answer:
            assert answer.status == 200

    async def names(self) -> list[str]:
        if self.type == AZURE:
            return [blob.name async for blob in self.client.list_blobs()]
        session, url = self.client
        async with session.get(f"{url}/storage/v1/b/{BUCKET}/o") as answer:
            return sorted(item["name"] for item in (await answer.json()).get("items", ()))

    async def clear(self) -> None:
        found = await polled(self.type, {**self.properties, **_EVERYTHING[self.type]})
        for delivery in found.deliveries:
            await delivery.acknowledge()


_EVERYTHING: dict[str, dict[str, Any]] = {
    AZURE: {"prefix": None, "action": "DELETE", "maxFiles": 500},
    GCS: {
        "from": f"gs://{BUCKET}",
        "listingType": "RECURSIVE",
        "action": "DELETE",
        "maxFiles": 500,
    },
}


@pytest.fixture(params=["google", "azure"])
async def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    monkeypatch.setenv(REFUSED_VARIABLE, "")
    given: ObjectStore = request.getfixturevalue(request.param)
    if request.param == "azure":
        connection = given.environment["AZURE_STORAGE_CONNECTION_STRING"]
        properties = {
            "connectionString": connection,
            "container": BUCKET,
            "prefix": "inbox/",
            "action": "NONE",
        }
        move = {"action": "MOVE", "moveTo": {"name": "inbox/done"}}
        async with ContainerClient.from_connection_string(connection, BUCKET) as client:
            made = Store(AZURE, properties, move, client)
            await made.clear()
            yield made
        return
    url = str(given.settings.options["endpoint_url"])
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    properties = {
        "from": f"gs://{BUCKET}/inbox/",
        "serviceAccount": given.environment["GOOGLE_APPLICATION_CREDENTIALS_JSON"],
        "listingType": "RECURSIVE",
        "action": "NONE",
    }
    move = {"action": "MOVE", "moveDirectory": f"gs://{BUCKET}/inbox/done/"}
    async with ClientSession() as session:
        made = Store(GCS, properties, move, (session, url))
        await made.clear()
        yield made


async def test_an_object_fires_once_and_again_when_it_changes(store: Store) -> None:
    # given
    await store.put("inbox/orders.csv", "one")

    # when
    first = await polled(store.type, store.properties)
    (file,) = first.deliveries[0].events[0].files.values()
    content = await content_of(file)
    await first.deliveries[0].acknowledge()
    quiet = await polled(store.type, store.properties, first.cursor)
    await store.put("inbox/orders.csv", "two, and more")
    changed = await polled(store.type, store.properties, first.cursor)
    await changed.deliveries[0].give_back()

    # then
    (found,) = blobs_of(first)
    assert (found["name"], found["size"], found["changeType"]) == ("inbox/orders.csv", 3, "CREATE")
    assert file.name == "orders.csv" and content == b"one"
    assert quiet.deliveries == () and quiet.cursor == first.cursor
    assert [blob["changeType"] for blob in blobs_of(changed)] == ["UPDATE"]


async def test_an_object_is_moved_only_once_it_is_acknowledged(store: Store) -> None:
    # given
    wanted = {**store.properties, **store.move}
    await store.put("inbox/orders.csv")

    # when
    found = await polled(store.type, wanted)
    before = await store.names()
    await found.deliveries[0].acknowledge()

    # then
    assert before == ["inbox/orders.csv"]
    assert await store.names() == ["inbox/done/orders.csv"]
    assert (await polled(store.type, wanted, found.cursor)).deliveries == ()


async def test_an_object_that_changed_since_is_not_deleted(store: Store) -> None:
    if store.type == GCS:
        pytest.skip("the server that stands for Google's does not look at generations")
    # given
    await store.put("inbox/orders.csv", "one")
    found = await polled(store.type, {**store.properties, "action": "DELETE"})

    # when
    await store.put("inbox/orders.csv", "two, and more")
    await found.deliveries[0].acknowledge()

    # then
    assert await store.names() == ["inbox/orders.csv"]


async def test_an_object_is_deleted(store: Store) -> None:
    # given
    await store.put("inbox/orders.csv")

    # when
    found = await polled(store.type, {**store.properties, "action": "DELETE"})
    await found.deliveries[0].acknowledge()

    # then
    assert await store.names() == []


async def test_a_store_that_does_not_exist_is_told(store: Store) -> None:
    # given
    nowhere = {GCS: {"from": "gs://nowhere/"}, AZURE: {"container": "nowhere"}}

    # when
    with pytest.raises(SourceError) as refused:
        await polled(store.type, {**store.properties, **nowhere[store.type]})

    # then
    assert "`nowhere`: " in str(refused.value)


async def test_a_store_at_a_refused_address_is_not_asked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.delenv(REFUSED_VARIABLE)

    # when
    with pytest.raises(SourceError) as refused:
        await polled(store.type, store.properties)

    # then
    assert "is at an address that Penstock does not ask for users" in str(refused.value)


def blobs_of(found: Polled) -> list[dict[str, Any]]:
    blobs: list[dict[str, Any]] = found.deliveries[0].events[0].variables["blobs"]
    return blobs
