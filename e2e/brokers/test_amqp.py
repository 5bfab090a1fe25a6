"""Queues of RabbitMQ: nothing is lost, and a message that has an id keeps its key."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from e2e.brokers.listening import opened, polled, rows_of
from e2e.brokers.numbers import distinct, every_number, heard_through_crashes
from e2e.fixtures.brokers.rabbitmq import RabbitServer
from penstock.listener.source import SourceError
from penstock.triggers.brokers.amqp import BATCH, REALTIME


def test_every_message_is_heard_under_one_key(rabbitmq: RabbitServer, tmp_path: Path) -> None:
    # when
    keys = heard_through_crashes(rabbitmq, REALTIME, lambda found: found["data"], tmp_path)

    # then
    assert set(keys) == every_number()
    assert all(len(of_one) == 1 for of_one in keys.values())
    assert distinct(keys)


async def test_a_batch_is_one_event_and_what_is_given_back_comes_again(
    rabbitmq: RabbitServer,
) -> None:
    # given
    batch = {**rabbitmq.properties(), "maxRecords": 2}
    while left := (await polled(BATCH, rabbitmq.properties())).deliveries:
        await left[0].acknowledge()
    await asyncio.to_thread(rabbitmq.send, ["a", "b", "c"])
    first = await polled(BATCH, batch)
    await first.deliveries[0].give_back()

    # when
    again = await polled(BATCH, batch)
    await again.deliveries[0].acknowledge()
    rest = await polled(BATCH, batch)
    await rest.deliveries[0].acknowledge()

    # then
    (event,) = again.deliveries[0].events
    assert event == first.deliveries[0].events[0]
    assert event.variables["count"] == 2
    assert [message["data"] for message in rows_of(event)] == ["a", "b"]
    assert rows_of(event)[0]["messageId"] == "number-a"
    assert rows_of(event)[0]["deliveryMode"] == 2
    assert rows_of(rest.deliveries[0].events[0])[0]["data"] == "c"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"password": "wrong"}, "refuses the credentials"),
        ({"port": "1"}, "the broker at 127.0.0.1 can't be used"),
        ({"port": "many"}, "`port` is `many`"),
        ({"queue": "missing"}, "has no queue `missing`"),
    ],
)
async def test_what_is_wrong_is_told(
    rabbitmq: RabbitServer, change: dict[str, str], told: str
) -> None:
    with pytest.raises(SourceError, match=told):
        async with opened(REALTIME, {**rabbitmq.properties(), **change}):
            pass
