"""Files of events: they are put before the event is handed over, and stand where they belong."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from penstock.kubernetes.pods.podspec import JobDefaults
from penstock.kubernetes.secrets.listener import ListenerNeeds, listener_deployment
from penstock.listener import files as module
from penstock.listener.files import EventFiles, Spool
from penstock.listener.gateway import Assigned, Gateway, Place, Refused, StorageAway
from penstock.listener.source import Event, EventFile, SourceError, Way
from penstock.storage.arrivals import MOST_BYTES

TRIGGER = Assigned("company.team.take", "arrived")
LARGE = b"0123456789abcdef" * 200_000


@dataclass
class Storage:
    """A gateway and a storage service, which keeps what is put."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    status: int = 201
    url: str = ""

    async def place(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.asked.append(asked)
        name = f"{len(self.asked)}/{asked['name']}"
        place = {"uri": f"kestra:///{name}", "url": f"{self.url}put/{name}", "authorities": ""}
        return web.json_response(place)

    async def put(self, request: web.Request) -> web.Response:
        self.files[request.path.removeprefix("/put/")] = await request.read()
        return web.json_response({"error": {"message": "no"}}, status=self.status)


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
async def door(storage: Storage, tmp_path: Path) -> AsyncIterator[Gateway]:
    app = web.Application(client_max_size=2**30)
    app.router.add_post("/api/v1/listener/files", storage.place)
    app.router.add_put("/put/{path:.+}", storage.put)
    (tmp_path / "token").write_text("secret")
    async with TestServer(app) as server, ClientSession() as session:
        storage.url = str(server.make_url("/"))
        yield Gateway(session, storage.url, tmp_path / "token")


async def variables_of(door: Gateway, event: Event) -> Mapping[str, Any]:
    return await EventFiles(door, TRIGGER, event, Spool()).variables()


async def test_an_event_without_files_is_as_it_was(door: Gateway, storage: Storage) -> None:
    event = Event("7", {"a": 1})
    assert await variables_of(door, event) is event.variables
    assert storage.asked == []


async def test_each_file_is_put_and_its_uri_stands_where_it_belongs(
    door: Gateway, storage: Storage
) -> None:
    # given
    async def write(file: BinaryIO) -> None:
        file.write(LARGE)

    variables = {"count": 2, "objects": [{"key": "a"}, {"key": "b", "uri": None}]}
    files = {
        ("uri",): EventFile("all.ion", b"all"),
        ("objects", 1, "uri"): EventFile("b", write),
    }
    # when
    found = await variables_of(door, Event("7", variables, files))
    # then
    assert found == {
        "count": 2,
        "uri": "kestra:///1/all.ion",
        "objects": [{"key": "a"}, {"key": "b", "uri": "kestra:///2/b"}],
    }
    assert variables["objects"] == [{"key": "a"}, {"key": "b", "uri": None}]
    assert storage.files == {"1/all.ion": b"all", "2/b": LARGE}
    assert storage.asked[1] == {
        "flow": "company.team.take",
        "trigger": "arrived",
        "key": "7",
        "name": "b",
        "size": len(LARGE),
        "sha256": hashlib.sha256(LARGE).hexdigest(),
    }


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Refused), (413, Refused), (403, StorageAway), (503, StorageAway), (507, StorageAway)],
)
async def test_what_the_storage_refuses_is_told(
    door: Gateway, storage: Storage, status: int, error: type[Exception]
) -> None:
    storage.status = status
    with pytest.raises(error, match=f"the internal storage answers {status}: no$"):
        await variables_of(door, Event("7", {}, {("uri",): EventFile("a", b"x")}))


async def test_a_storage_that_is_away_is_asked_later(door: Gateway) -> None:
    nowhere = Place("kestra:///a", "http://127.0.0.1:1/a", "")
    with pytest.raises(StorageAway, match="the internal storage can't be reached"):
        await door.put(nowhere, BytesIO(), 0)


async def test_a_file_is_put_once_however_often_its_event_is_handed_over(
    door: Gateway, storage: Storage
) -> None:
    # given an event that the gateway does not take at first
    written = []

    async def write(file: BinaryIO) -> None:
        written.append(file.write(b"rows"))

    files: dict[Way, EventFile] = {
        ("uri",): EventFile("a", write),
        ("other",): EventFile("b", b"more"),
    }
    waiting = EventFiles(door, TRIGGER, Event("7", {}, files), Spool())
    first = await waiting.variables()
    # when it is handed over again
    again = await waiting.variables()
    # then
    assert again == first == {"uri": "kestra:///1/a", "other": "kestra:///2/b"}
    assert len(storage.asked) == 2
    assert written == [4]


async def test_a_file_that_the_storage_may_have_dropped_is_put_anew(
    door: Gateway, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", timedelta(0))
    event = Event("7", {}, {("uri",): EventFile("a", b"x")})
    waiting = EventFiles(door, TRIGGER, event, Spool())
    assert await waiting.variables() == {"uri": "kestra:///1/a"}
    assert await waiting.variables() == {"uri": "kestra:///2/a"}


async def test_a_source_fills_no_disk(
    door: Gateway, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(module, "MOST_BYTES", 10_000_000)
    sizes = []

    async def write(file: BinaryIO) -> None:
        while True:
            file.write(b"x" * 1_000_000)
            sizes.append(file.tell())

    # when
    event = Event("7", {}, {("uri",): EventFile("endless.bin", write)})
    with pytest.raises(SourceError, match=r"`endless.bin` has more than \d+ MiB"):
        await variables_of(door, event)
    # then
    assert max(sizes) == 10_000_000
    assert storage.asked == []


async def test_a_few_files_are_on_the_disk_at_once(door: Gateway, storage: Storage) -> None:
    # given
    at_once: list[int] = []
    writing = 0

    async def write(file: BinaryIO) -> None:
        nonlocal writing
        writing += 1
        at_once.append(writing)
        await asyncio.sleep(0.01)
        file.write(b"x")
        writing -= 1

    spool = Spool()
    events = [Event(str(n), {}, {("uri",): EventFile("a", write)}) for n in range(6)]
    # when
    await asyncio.gather(*(EventFiles(door, TRIGGER, e, spool).variables() for e in events))
    # then
    assert max(at_once) == module.SPOOLED_AT_ONCE
    assert len(storage.asked) == 6


def test_the_volume_of_the_pod_has_room_for_them() -> None:
    deployment = listener_deployment("team", ListenerNeeds("http://gateway"), JobDefaults("image"))
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    (disk,) = [item["emptyDir"]["sizeLimit"] for item in volumes if item["name"] == "tmp"]
    room = int(disk.removesuffix("Mi")) * 1024**2
    assert room >= module.SPOOLED_AT_ONCE * MOST_BYTES + 64 * 1024**2
