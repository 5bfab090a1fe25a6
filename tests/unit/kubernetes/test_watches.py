"""Watches: lines of JSON that come in pieces, and what a follower makes of lists and watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, cast

import pytest

from penstock.kubernetes.api import watches
from penstock.kubernetes.api.client import FLOWS, Api, ApiError, Object
from penstock.kubernetes.api.lists import Page
from penstock.kubernetes.api.watches import Follower, watch


def flow(name: str, version: int) -> Object:
    return {"metadata": {"name": name, "namespace": "team", "resourceVersion": str(version)}}


def told(kind: str, body: Object) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


def gone(code: int) -> bytes:
    return told("ERROR", {"kind": "Status", "code": code, "reason": "Expired", "message": "old"})


class Told:
    """An API server that gives the lists and the watches that a test wrote down."""

    def __init__(self, lists: list[list[Object] | ApiError], streams: list[list[bytes]]) -> None:
        self._lists = iter(lists)
        self._streams = iter(streams)
        self.asked: list[dict[str, str]] = []

    @property
    def api(self) -> Api:
        return cast("Api", self)

    async def pages(self, resource: object, namespace: object) -> AsyncGenerator[Page, None]:
        found = next(self._lists)
        if isinstance(found, ApiError):
            raise found
        yield Page(found, "100", is_first=True)

    async def stream(
        self, path: str, query: dict[str, str], silence: float
    ) -> AsyncGenerator[bytes, None]:
        self.asked.append({"path": path, **query})
        for piece in next(self._streams, None) or []:
            yield piece
        if len(self.asked) > 20:
            await asyncio.sleep(60)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(watches, "_LONGEST_WAIT", 0.001)


@pytest.mark.parametrize("size", [1, 3, 1_000])
async def test_events_come_in_pieces_of_any_size(size: int) -> None:
    # given
    whole = told("ADDED", flow("a", 1)) + b"\n" + told("MODIFIED", flow("ä", 2))
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    server = Told([], [pieces])
    # when
    changes = [change async for change in watch(server.api, FLOWS, "team", "7", name="a")]
    # then
    assert [(item.kind, item.body["metadata"]["name"], item.version) for item in changes] == [
        ("ADDED", "a", "1"),
        ("MODIFIED", "ä", "2"),
    ]
    assert server.asked[0]["path"] == "/apis/penstock.dev/v1alpha1/namespaces/team/flows"
    assert server.asked[0]["fieldSelector"] == "metadata.name=a"
    assert server.asked[0]["resourceVersion"] == "7"


async def test_an_error_within_a_watch_is_raised() -> None:
    with pytest.raises(ApiError, match="old") as raised:
        async for _ in watch(Told([], [[gone(410)]]).api, FLOWS, None, "7"):
            pass
    assert raised.value.status == 410


async def test_an_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "_MOST_BYTES", 100)
    with pytest.raises(ApiError, match="too large"):
        async for _ in watch(Told([], [[b"x" * 60, b"x" * 60]]).api, FLOWS, None, "7"):
            pass


async def followed(server: Told, events: int) -> list[Any]:
    """What a follower tells, up to so many events."""
    news: list[Any] = []
    done = asyncio.Event()

    def take(*item: Any) -> None:
        news.append(item[0]["metadata"]["name"] if len(item) == 1 else f"-{item[1]}")
        if len(news) >= events:
            done.set()

    follower = Follower(server.api, FLOWS, None, take, take)
    work = asyncio.create_task(follower.run())
    async with asyncio.timeout(5):
        await done.wait()
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    return news


async def test_a_watch_goes_on_where_the_one_before_ended() -> None:
    bookmark = told("BOOKMARK", {"metadata": {"resourceVersion": "150"}})
    streams = [
        [told("ADDED", flow("b", 101)), bookmark],
        [told("DELETED", flow("a", 160)), told("ADDED", flow("c", 170))],
    ]
    server = Told([[flow("a", 5)]], streams)
    assert await followed(server, 4) == ["a", "b", "-a", "c"]
    assert [asked["resourceVersion"] for asked in server.asked[:2]] == ["100", "150"]


async def test_what_was_missed_is_found_by_a_new_list() -> None:
    streams = [[told("ADDED", flow("c", 101))], [gone(410)], [told("ADDED", flow("d", 102))]]
    server = Told([[flow("a", 5), flow("b", 6)], [flow("b", 6)]], streams)
    assert sorted(await followed(server, 7)) == ["-a", "-c", "a", "b", "b", "c", "d"]


async def test_an_object_that_can_t_be_read_counts_as_gone_and_hides_no_other() -> None:
    # given
    news: list[str] = []

    def seen(body: Object) -> None:
        if body["metadata"]["name"] == "odd":
            raise KeyError("spec")
        news.append(body["metadata"]["name"])

    server = Told([[flow("odd", 5), flow("a", 6)]], [[told("ADDED", flow("b", 101))]])
    follower = Follower(server.api, FLOWS, None, seen, lambda _, name: news.append(f"-{name}"))
    # when
    work = asyncio.create_task(follower.run())
    async with asyncio.timeout(5):
        while "b" not in news:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    work.cancel()
    # then
    assert news == ["-odd", "a", "b"]


async def test_a_list_that_fails_is_made_again() -> None:
    away = ApiError(503, "ServiceUnavailable", "away")
    assert await followed(Told([away, away, [flow("a", 5)]], []), 1) == ["a"]
