"""Objects in a bucket: each starts one execution, with its file, and goes where the flow says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from botocore.session import get_session

from e2e.brokers.listening import polled
from e2e.fixtures.objectstore import BUCKET, S3Server, versitygw
from penstock.listener.source import Event, Polled, SourceError
from penstock.triggers.buckets.s3 import AWS, MINIO


class Bucket:
    """The bucket of a server, and what a trigger needs to know of it."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.url = f"http://{server.host}:{server.port}"
        self.keys = {
            "accessKeyId": server.environment["AWS_ACCESS_KEY_ID"],
            "secretKeyId": server.environment["AWS_SECRET_ACCESS_KEY"],
        }
        self.client: Any = get_session().create_client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.keys["accessKeyId"],
            aws_secret_access_key=self.keys["secretKeyId"],
        )

    def put(self, *names: str) -> None:
        for name in names:
            self.client.put_object(Bucket=BUCKET, Key=name, Body=f"content of {name}".encode())

    def names(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=BUCKET)
        return [item["Key"] for item in found.get("Contents", ())]

    def properties(self, **more: Any) -> dict[str, Any]:
        return {
            "endpointOverride": self.url,
            "bucket": BUCKET,
            "prefix": "inbox/",
            "action": "NONE",
            **self.keys,
            **more,
        }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with versitygw(tmp_path_factory.mktemp("s3") / "files") as running:
        yield running


@pytest.fixture
def bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("PENSTOCK_REFUSED_NETWORKS", "169.254.0.0/16")
    found = Bucket(server)
    for name in found.names():
        found.client.delete_object(Bucket=BUCKET, Key=name)
    return found


def event_of(found: Polled) -> Event:
    ((event,),) = [delivery.events for delivery in found.deliveries]
    return event


def keys_of(found: Polled) -> list[str]:
    return [item["key"] for item in event_of(found).variables["objects"]]


async def content_of(event: Event, number: int) -> bytes:
    """The file that comes with an object."""
    file = BytesIO()
    write = event.files["objects", number, "uri"].content
    assert not isinstance(write, bytes)
    await write(file)
    return file.getvalue()


async def test_new_objects_start_one_execution_with_their_files(bucket: Bucket) -> None:
    # given
    bucket.put("inbox/a.csv", "inbox/b.csv", "other/c.csv")
    # when
    first = await polled(AWS, bucket.properties())
    event = event_of(first)
    contents = [await content_of(event, number) for number in range(2)]
    await first.deliveries[0].acknowledge()
    # then
    assert sorted(keys_of(first)) == ["inbox/a.csv", "inbox/b.csv"]
    assert sorted(contents) == [b"content of inbox/a.csv", b"content of inbox/b.csv"]
    one = event.variables["objects"][0]
    assert one["changeType"] == "CREATE" and one["size"] == 22 and one["etag"]
    # and the same again start nothing
    again = await polled(AWS, bucket.properties(), first.cursor)
    assert again.deliveries == ()


async def test_an_object_that_changes_is_another_event(bucket: Bucket) -> None:
    # given
    bucket.put("inbox/a.csv")
    first = await polled(AWS, bucket.properties())
    await first.deliveries[0].acknowledge()
    # when
    bucket.client.put_object(Bucket=BUCKET, Key="inbox/a.csv", Body=b"other")
    created = await polled(AWS, bucket.properties(on="CREATE"), first.cursor)
    updated = await polled(AWS, bucket.properties(on="UPDATE"), first.cursor)
    await updated.deliveries[0].give_back()
    # then
    assert created.deliveries == ()
    assert event_of(updated).variables["objects"][0]["changeType"] == "UPDATE"
    assert event_of(updated).key != event_of(first).key


async def test_objects_that_are_found_again_have_their_key(bucket: Bucket) -> None:
    bucket.put("inbox/a.csv", "inbox/b.csv")
    first, second = [await polled(AWS, bucket.properties()) for _ in range(2)]
    assert event_of(first).key == event_of(second).key
    for found in (first, second):
        await found.deliveries[0].give_back()


@pytest.mark.parametrize(
    ("action", "left"),
    [
        ({"action": "DELETE"}, []),
        ({"action": "MOVE", "moveTo": {"key": "done/"}}, ["done/a.csv"]),
        ({"action": "NONE"}, ["inbox/deep/a.csv"]),
    ],
)
async def test_an_object_goes_where_the_flow_says_once_its_execution_is_stored(
    bucket: Bucket, action: dict[str, Any], left: list[str]
) -> None:
    # given
    bucket.put("inbox/deep/a.csv")
    given_back = await polled(AWS, bucket.properties(**action))
    await given_back.deliveries[0].give_back()
    assert bucket.names() == ["inbox/deep/a.csv"]
    # when
    found = await polled(AWS, bucket.properties(**action))
    await found.deliveries[0].acknowledge()
    # then
    assert bucket.names() == left


async def test_more_objects_than_one_execution_takes_start_the_next(bucket: Bucket) -> None:
    # given
    bucket.put(*(f"inbox/{number}" for number in range(7)))
    taken: list[str] = []
    cursor = None
    sizes = []
    # when
    while (found := await polled(AWS, bucket.properties(maxFiles=3), cursor)).deliveries:
        await found.deliveries[0].acknowledge()
        taken += keys_of(found)
        sizes.append(len(keys_of(found)))
        cursor = found.cursor
    # then
    assert sizes == [3, 3, 1]
    assert sorted(taken) == [f"inbox/{number}" for number in range(7)]


@pytest.mark.parametrize(
    ("more", "keys"),
    [
        ({"regexp": r"inbox/.*\.csv"}, ["inbox/a.csv", "inbox/deep/b.csv"]),
        ({"delimiter": "/"}, ["inbox/a.csv", "inbox/c.txt"]),
        ({"marker": "inbox/b"}, ["inbox/c.txt", "inbox/deep/b.csv"]),
        ({"filter": "DIRECTORY"}, []),
    ],
)
async def test_the_properties_say_which_objects_are_meant(
    bucket: Bucket, more: dict[str, Any], keys: list[str]
) -> None:
    # given
    bucket.put("inbox/a.csv", "inbox/c.txt", "inbox/deep/b.csv")
    # when
    found = await polled(AWS, bucket.properties(**more))
    # then
    assert sorted(key for each in found.deliveries for key in keys_of(found)) == keys
    await asyncio.gather(*(each.give_back() for each in found.deliveries))


async def test_a_bucket_of_minio_is_looked_at_alike(bucket: Bucket) -> None:
    # given
    bucket.put("inbox/a.csv")
    properties = bucket.properties(endpoint=bucket.url)
    del properties["endpointOverride"]
    # when
    found = await polled(MINIO, properties)
    await found.deliveries[0].give_back()
    # then
    assert keys_of(found) == ["inbox/a.csv"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bucket": "no-such-bucket"}, "the bucket `no-such-bucket` is not there"),
        ({"secretKeyId": "wrong"}, "is not open to these credentials"),
        ({"secretKeyId": None}, "`accessKeyId` and `secretKeyId` are needed"),
        ({"endpointOverride": "http://127.0.0.1:1"}, "does not answer"),
        ({"endpointOverride": "http://169.254.169.254"}, "169.254.169.254"),
        ({"endpointOverride": "minio:9000"}, "is not the address of a server"),
        ({"regexp": "("}, "is no regular expression"),
    ],
)
async def test_what_is_wrong_is_told(bucket: Bucket, change: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceError, match=words) as refused:
        await polled(AWS, bucket.properties() | change)
    assert bucket.keys["secretKeyId"] not in str(refused.value)
