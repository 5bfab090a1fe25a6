"""Buckets of S3: each object fires once, and is moved or deleted once its Execution is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiobotocore.session import get_session

from e2e.brokers.listening import content_of, polled
from e2e.fixtures.objectstore import BUCKET, S3Server, versitygw
from penstock.listener.source import NotNow, Polled, SourceError
from penstock.listener.sources.addresses import REFUSED_VARIABLE
from penstock.triggers.objects.s3 import MINIO, S3

MOVE = {"action": "MOVE", "moveTo": {"key": "inbox/done"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with versitygw(tmp_path_factory.mktemp("s3")) as store:
        yield store


@pytest.fixture(autouse=True)
def _own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REFUSED_VARIABLE, "")


class Bucket:
    """The bucket, as who puts files into it and looks at it."""

    def __init__(self, client: Any, server: S3Server) -> None:
        self._client = client
        self.server = server

    async def put(self, key: str, text: str = "content") -> None:
        await self._client.put_object(Bucket=BUCKET, Key=key, Body=text.encode())

    async def delete(self, key: str) -> None:
        await self._client.delete_object(Bucket=BUCKET, Key=key)

    async def keys(self) -> list[str]:
        listed = await self._client.list_objects_v2(Bucket=BUCKET)
        return [item["Key"] for item in listed.get("Contents", ())]

    def wanted(self, **more: Any) -> dict[str, Any]:
        """A trigger on the bucket."""
        return {
            "bucket": BUCKET,
            "prefix": "inbox/",
            "accessKeyId": self.server.environment["AWS_ACCESS_KEY_ID"],
            "secretKeyId": self.server.environment["AWS_SECRET_ACCESS_KEY"],
            "endpointOverride": f"http://127.0.0.1:{self.server.port}",
            "action": "NONE",
            **more,
        }


@pytest.fixture
async def bucket(server: S3Server) -> AsyncIterator[Bucket]:
    async with _client(server) as client:
        made = Bucket(client, server)
        for key in await made.keys():
            await made.delete(key)
        yield made


async def test_an_object_fires_once_and_again_when_it_changes(bucket: Bucket) -> None:
    # given
    wanted = bucket.wanted()
    await bucket.put("inbox/orders.csv", "one")

    # when
    first = await polled(S3, wanted)
    (file,) = first.deliveries[0].events[0].files.values()
    content = await content_of(file)
    await first.deliveries[0].acknowledge()
    quiet = await fired(wanted, first.cursor)
    await bucket.put("inbox/orders.csv", "two")
    changed = await fired(wanted, quiet.cursor)

    # then
    assert keys_of(first) == ["inbox/orders.csv"] and changes_of(first) == ["CREATE"]
    assert quiet.deliveries == ()
    assert changes_of(changed) == ["UPDATE"]
    assert key_of(first) != key_of(changed)
    (found,) = objects_of(first)
    assert content == b"one"
    assert found["size"] == 3 and found["etag"] and found["lastModified"].endswith("Z")


async def test_an_object_is_moved_only_once_it_is_acknowledged(bucket: Bucket) -> None:
    # given
    wanted = bucket.wanted(**MOVE)
    await bucket.put("inbox/orders.csv")

    # when
    found = await polled(S3, wanted)
    before = await bucket.keys()
    await found.deliveries[0].acknowledge()

    # then
    assert before == ["inbox/orders.csv"]
    assert await bucket.keys() == ["inbox/done/orders.csv"]
    assert (await fired(wanted, found.cursor)).deliveries == ()


async def test_what_was_handed_over_before_a_listener_died_is_the_same_event(
    bucket: Bucket,
) -> None:
    # given: of two objects that were handed over one was moved, when the listener died
    wanted = bucket.wanted(**MOVE)
    await bucket.put("inbox/a.csv")
    await bucket.put("inbox/b.csv")
    found = await polled(S3, wanted)
    await found.deliveries[0].give_back()
    await bucket.delete("inbox/a.csv")

    # when
    await bucket.put("inbox/c.csv")
    again = await fired(wanted, found.under_way)
    rest = await fired(wanted, again.cursor)

    # then
    assert keys_of(again) == ["inbox/b.csv"] and key_of(again) == key_of(found)
    assert keys_of(rest) == ["inbox/c.csv"]
    assert await bucket.keys() == ["inbox/done/b.csv", "inbox/done/c.csv"]


async def test_an_object_that_changed_since_is_not_deleted(bucket: Bucket) -> None:
    # given
    wanted = bucket.wanted(action="DELETE")
    await bucket.put("inbox/orders.csv", "one")
    found = await polled(S3, wanted)

    # when
    await bucket.put("inbox/orders.csv", "two")
    await found.deliveries[0].acknowledge()
    left = await bucket.keys()
    newer = await fired(wanted, found.cursor)

    # then
    assert left == ["inbox/orders.csv"]
    assert changes_of(newer) == ["UPDATE"]
    assert await bucket.keys() == []


async def test_what_the_conditions_pass_over_is_left_for_another_time(bucket: Bucket) -> None:
    # given
    wanted = bucket.wanted(action="DELETE")
    await bucket.put("inbox/orders.csv")
    found = await polled(S3, wanted)

    # when
    with pytest.raises(NotNow):
        await found.deliveries[0].pass_over()  # type: ignore[attr-defined]

    # then
    assert await bucket.keys() == ["inbox/orders.csv"]


async def test_more_than_a_page_and_a_batch_of_objects_fire_one_after_the_other(
    bucket: Bucket,
) -> None:
    # given
    wanted = bucket.wanted(maxKeys=2, maxFiles=3, regexp=r"inbox/n\d\.csv", filter="FILES")
    for name in ("n0.csv", "n1.csv", "n2.csv", "n3.csv", "n4.csv", "other.txt"):
        await bucket.put(f"inbox/{name}")

    # when
    cursor, found = None, []
    while (answer := await fired(wanted, cursor)).deliveries:
        found.append(len(objects_of(answer)))
        cursor = answer.cursor

    # then
    assert found == [3, 2]


async def test_minio_has_its_own_properties(bucket: Bucket) -> None:
    # given
    wanted = bucket.wanted(recursive=False, startAfter="inbox/a.csv")
    wanted["endpoint"] = wanted.pop("endpointOverride")
    for key in ("inbox/a.csv", "inbox/b.csv", "inbox/deep/c.csv"):
        await bucket.put(key)

    # when
    found = await fired(wanted, type=MINIO)

    # then
    assert keys_of(found) == ["inbox/b.csv"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"bucket": "nowhere"}, "the bucket `nowhere`: ListObjectsV2 is refused"),
        ({"secretKeyId": "wrong-secret"}, "ListObjectsV2 is refused"),
        ({"endpointOverride": "http://127.0.0.1:1"}, "can't be reached"),
        ({"endpointOverride": "file:///etc"}, "`endpointOverride` is not an address"),
        ({"regexp": "("}, "invalid pattern"),
        ({"regexp": "(a|aa)+b"}, "takes too long"),
    ],
)
async def test_what_is_wrong_is_told(bucket: Bucket, change: dict[str, str], told: str) -> None:
    # given
    await bucket.put("a" * 60 + "b!")
    wanted = bucket.wanted(**{"prefix": None, **change})

    # when
    with pytest.raises(SourceError) as refused:
        await polled(S3, wanted)

    # then
    assert told in str(refused.value)
    assert "wrong-secret" not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_store_at_a_refused_address_is_not_asked(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    # given
    monkeypatch.delenv(REFUSED_VARIABLE)
    wanted = bucket.wanted(endpointOverride=f"http://{host}:{bucket.server.port}")

    # when
    with pytest.raises(SourceError) as refused:
        await polled(S3, wanted)

    # then
    assert "is at an address that Penstock does not ask for users" in str(refused.value)


async def fired(wanted: dict[str, Any], cursor: Any = None, type: str = S3) -> Polled:
    """What a poll gives, once it is acknowledged."""
    found = await polled(type, wanted, cursor)
    for delivery in found.deliveries:
        await delivery.acknowledge()
    return found


def objects_of(found: Polled) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = found.deliveries[0].events[0].variables["objects"]
    return objects


def keys_of(found: Polled) -> list[str]:
    return [item["key"] for item in objects_of(found)]


def changes_of(found: Polled) -> list[str]:
    return [item["changeType"] for item in objects_of(found)]


def key_of(found: Polled) -> str:
    return found.deliveries[0].events[0].key


@asynccontextmanager
async def _client(server: S3Server) -> AsyncIterator[Any]:
    opening = get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id=server.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=server.environment["AWS_SECRET_ACCESS_KEY"],
    )
    async with opening as client:
        yield client
