"""Lists of Redis: nothing is lost, an element keeps its key, and what is wrong is told in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.brokers.listening import NAME, opened, polled, rows_of
from e2e.brokers.numbers import distinct, every_number, heard_through_crashes
from e2e.fixtures.brokers.redis import RedisServer
from penstock.listener.source import SourceError
from penstock.listener.sources import consumer, redis
from penstock.listener.sources.redis import held_key
from penstock.triggers.brokers.redis import BATCH, REALTIME


@pytest.fixture(autouse=True)
def _empty(redis_server: RedisServer) -> None:
    redis_server.client.flushall()


def test_every_element_is_heard_under_one_key(redis_server: RedisServer, tmp_path: Path) -> None:
    # when
    keys = heard_through_crashes(redis_server, REALTIME, lambda found: found["value"], tmp_path)

    # then
    assert set(keys) == every_number()
    assert all(len(of_one) == 1 for of_one in keys.values())
    assert distinct(keys)


async def test_equal_elements_are_two_events(redis_server: RedisServer) -> None:
    # given
    redis_server.send(["same", "same"])
    keys = []

    # when
    async with opened(REALTIME, redis_server.properties()) as source:
        async for delivery in source.deliveries():
            keys.append(delivery.events[0].key)
            await delivery.acknowledge()
            if len(keys) == 2:
                break

    # then
    assert len(set(keys)) == 2
    assert redis_server.client.keys("*") == []


async def test_an_element_that_is_given_back_comes_again_under_its_key(
    redis_server: RedisServer,
) -> None:
    # given
    redis_server.send(["first", "second"])
    found = []

    # when
    async with opened(REALTIME, redis_server.properties()) as source:
        async for delivery in source.deliveries():
            found.append((delivery.events[0].variables["value"], delivery.events[0].key))
            if len(found) == 1:
                await delivery.give_back()
                continue
            await delivery.acknowledge()
            if len(found) == 3:
                break

    # then
    assert [value for value, _ in found] == ["first", "first", "second"]
    assert found[0] == found[1]


async def test_a_batch_is_one_event_of_at_most_so_many(redis_server: RedisServer) -> None:
    # given
    redis_server.send([json.dumps({"n": each}) for each in range(5)])
    batch = {**redis_server.properties(), "serdeType": "JSON", "maxRecords": 3}

    # when
    first = await polled(BATCH, batch)
    (event,) = first.deliveries[0].events
    await first.deliveries[0].acknowledge()
    second = await polled(BATCH, batch)
    await second.deliveries[0].acknowledge()

    # then
    assert event.variables == {"count": 3}
    assert rows_of(event) == [{"value": {"n": each}} for each in range(3)]
    assert second.deliveries[0].events[0].variables["count"] == 2
    assert (await polled(BATCH, batch)).deliveries == ()


async def test_a_batch_ends_before_it_is_too_large(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(consumer, "MAX_BATCH_BYTES", 256 * 1024)
    redis_server.send(["x" * 100_000] * 4)
    sizes = []

    # when
    while (found := await polled(BATCH, redis_server.properties())).deliveries:
        sizes.append(found.deliveries[0].events[0].variables["count"])
        await found.deliveries[0].acknowledge()

    # then
    assert sizes == [2, 2]


async def test_an_element_that_cant_be_read_is_named_and_moved_to_a_list_of_such_ones(
    redis_server: RedisServer,
) -> None:
    # given
    redis_server.send(['{"half": ', '{"n": 1}'])
    held = held_key(redis_server.key, NAME)

    # when
    async with opened(REALTIME, {**redis_server.properties(), "serdeType": "JSON"}) as source:
        deliveries = source.deliveries()
        bad, good = [await anext(deliveries) for _ in range(2)]
        await bad.reject()
        await good.acknowledge()

    # then
    (event,) = bad.events
    assert event.problem is not None
    assert f"an element of the list `{redis_server.key}` is not JSON" in event.problem
    assert "half" not in event.problem
    assert good.events[0].variables == {"value": {"n": 1}}
    assert redis_server.client.lrange(f"{held}:rejected", 0, -1) == [b'{"half": ']
    assert redis_server.client.hgetall(held) == {}


async def test_of_rejected_elements_the_last_stay(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(redis, "MOST_REJECTED", 2)
    redis_server.send(["1", "2", "3"])

    # when
    async with opened(REALTIME, redis_server.properties()) as source:
        deliveries = source.deliveries()
        for _ in range(3):
            await (await anext(deliveries)).reject()

    # then
    rejected = f"{held_key(redis_server.key, NAME)}:rejected"
    assert redis_server.client.lrange(rejected, 0, -1) == [b"2", b"3"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"url": "redis://:wrong@127.0.0.1:{port}/0"}, "refuses the credentials"),
        ({"url": "redis://127.0.0.1:1/0"}, "Redis at 127.0.0.1:1 does not answer"),
        ({"url": "http://127.0.0.1/0"}, "must begin with redis://"),
        ({"key": "no-list"}, "`no-list` in Redis is not a list"),
    ],
)
async def test_what_is_wrong_is_told(
    redis_server: RedisServer, change: dict[str, str], told: str
) -> None:
    # given
    redis_server.client.set("no-list", "text")
    changed = {name: text.format(port=redis_server.port) for name, text in change.items()}

    # when
    with pytest.raises(SourceError) as refused:
        await _first({**redis_server.properties(), **changed})

    # then
    assert told in str(refused.value)
    assert redis_server.password not in str(refused.value) and ":wrong@" not in str(refused.value)


async def _first(properties: dict[str, str]) -> None:
    async with opened(REALTIME, properties) as source:
        async for delivery in source.deliveries():
            await delivery.acknowledge()
            return
