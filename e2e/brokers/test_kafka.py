"""Topics of Kafka: nothing is lost, a record keeps its key, and what is wrong is told in words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from e2e.brokers.listening import opened, polled, rows_of
from e2e.brokers.numbers import distinct, every_number, heard_through_crashes
from e2e.fixtures.brokers.kafka import KafkaServer
from penstock.listener.source import Event, Rejectable, SourceError
from penstock.triggers.brokers.kafka import BATCH, REALTIME


def test_every_record_is_heard_under_one_key(kafka: KafkaServer, tmp_path: Path) -> None:
    # when
    keys = heard_through_crashes(kafka, REALTIME, lambda found: found["value"], tmp_path)

    # then
    assert set(keys) == every_number()
    assert all(len(of_one) == 1 for of_one in keys.values())
    assert distinct(keys)


async def test_a_record_is_what_kestra_gives(kafka: KafkaServer) -> None:
    # given
    await kafka.make_topic("one", 1)
    await kafka.send_to("one", [b'{"n": 1}'], headers=[("from", b"here")])

    # when
    (event,) = await heard(kafka, 1, topic="one", valueDeserializer="JSON")

    # then
    assert event.variables == {
        "key": None,
        "value": {"n": 1},
        "topic": "one",
        "partition": 0,
        "offset": 0,
        "timestamp": event.variables["timestamp"],
        "headers": [{"from": "here"}],
    }
    assert event.key == f"one/0/0@{event.variables['timestamp']}"


async def test_nothing_is_committed_before_an_older_record(kafka: KafkaServer) -> None:
    # given
    await kafka.make_topic("order", 1)
    await kafka.send_to("order", [b"a", b"b", b"c"])
    async with opened(REALTIME, wanted(kafka, topic="order")) as source:
        deliveries = source.deliveries()
        first, second, third = [await anext(deliveries) for _ in range(3)]
        await third.acknowledge()
        await first.acknowledge()

    # when
    again = await heard(kafka, 2, topic="order")

    # then
    assert [event.variables["value"] for event in again] == ["b", "c"]
    assert again[0].key == second.events[0].key


async def test_a_record_that_is_given_back_comes_again(kafka: KafkaServer) -> None:
    # given
    await kafka.make_topic("back", 1)
    await kafka.send_to("back", [b"a", b"b"])
    values = []

    # when
    async with opened(REALTIME, wanted(kafka, topic="back")) as source:
        async for delivery in source.deliveries():
            values.append(delivery.events[0].variables["value"])
            if len(values) == 1:
                await delivery.give_back()
                continue
            await delivery.acknowledge()
            if len(values) == 3:
                break

    # then
    assert values == ["a", "a", "b"]


async def test_a_batch_ends_before_a_record_that_cant_be_read_which_comes_alone(
    kafka: KafkaServer,
) -> None:
    # given
    await kafka.make_topic("broken", 1)
    await kafka.send_to("broken", [b'"good"', b'{"half": ', b'"after"'])
    properties = wanted(kafka, topic="broken", valueDeserializer="JSON", pollDuration="PT2S")
    found = await polled(BATCH, properties)
    await found.deliveries[0].acknowledge()
    bad = (await polled(BATCH, properties)).deliveries[0]
    await bad.give_back()

    # when
    skipping = await polled(BATCH, {**properties, "onSerdeError": {"type": "SKIPPED"}})
    await skipping.deliveries[0].give_back()
    again = (await polled(BATCH, properties)).deliveries[0]
    assert isinstance(again, Rejectable)
    await again.reject()
    after = await polled(BATCH, properties)
    await after.deliveries[0].acknowledge()

    # then
    assert values_of(found.deliveries[0].events[0]) == ["good"]
    (event,) = bad.events
    assert again.events == bad.events
    assert event.key.startswith("broken/0/1@")
    assert event.problem is not None
    assert "the value of the record broken, partition 0, offset 1 is not JSON" in event.problem
    assert "half" not in event.problem
    assert values_of(skipping.deliveries[0].events[0]) == ["after"]
    assert values_of(after.deliveries[0].events[0]) == ["after"]


async def test_a_login_is_accepted_and_a_wrong_one_is_told(kafka: KafkaServer) -> None:
    # given
    await kafka.make_topic("guarded", 1)
    await kafka.send_to("guarded", [b"in"])
    topic = wanted(kafka, topic="guarded")

    # when
    async with opened(REALTIME, {**topic, "properties": kafka.login("flow-pw")}) as source:
        delivery = await anext(source.deliveries())
        await delivery.acknowledge()
    with pytest.raises(SourceError) as refused:
        async with opened(REALTIME, {**topic, "properties": kafka.login("wrong-pw")}):
            pass

    # then
    assert delivery.events[0].variables["value"] == "in"
    assert "with these credentials" in str(refused.value)
    assert "wrong-pw" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"topic": "missing"}, "has no topic `missing`"),
        ({"properties": {"bootstrap.servers": "127.0.0.1:1"}}, "no broker at 127.0.0.1:1"),
    ],
)
async def test_what_is_wrong_is_told(kafka: KafkaServer, change: Any, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        async with opened(REALTIME, {**kafka.properties(), **change}):
            pass


def wanted(kafka: KafkaServer, **change: Any) -> dict[str, Any]:
    """The properties of a trigger whose group is that of its topic."""
    return {**kafka.properties(), "groupId": f"group-{change['topic']}", **change}


async def heard(kafka: KafkaServer, count: int, **change: Any) -> list[Event]:
    """So many events, each of which is acknowledged."""
    events: list[Event] = []
    async with asyncio.timeout(20), opened(REALTIME, wanted(kafka, **change)) as source:
        async for delivery in source.deliveries():
            events += delivery.events
            await delivery.acknowledge()
            if len(events) == count:
                return events
    raise AssertionError


def values_of(event: Event) -> list[Any]:
    """The values of a batch."""
    return [message["value"] for message in rows_of(event)]
