"""Files of events: they are put before the event is handed over, and stand where they belong."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from penstock.listener.files import with_files
from penstock.listener.gateway import Assigned, Gateway, GatewayAway, Place, Refused
from penstock.listener.source import Event, EventFile

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


async def test_an_event_without_files_is_as_it_was(door: Gateway, storage: Storage) -> None:
    event = Event("7", {"a": 1})
    assert await with_files(door, TRIGGER, event) is event.variables
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
    found = await with_files(door, TRIGGER, Event("7", variables, files))
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
    [(400, Refused), (413, Refused), (403, GatewayAway), (503, GatewayAway), (507, GatewayAway)],
)
async def test_what_the_storage_refuses_is_told(
    door: Gateway, storage: Storage, status: int, error: type[Exception]
) -> None:
    storage.status = status
    with pytest.raises(error, match=f"the internal storage answers {status}"):
        await with_files(door, TRIGGER, Event("7", {}, {("uri",): EventFile("a", b"x")}))


async def test_a_storage_that_is_away_is_asked_later(door: Gateway) -> None:
    nowhere = Place("kestra:///a", "http://127.0.0.1:1/a", "")
    with pytest.raises(GatewayAway, match="the internal storage can't be reached"):
        await door.put(nowhere, BytesIO(), 0)
