"""Queues of RabbitMQ: nothing is lost, and a message that has an id keeps its key."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aio_pika
import pytest
from pamqp.common import FieldTable

from e2e.brokers.listening import opened, polled, rows_of
from e2e.brokers.numbers import distinct, every_number, heard_through_crashes
from e2e.fixtures.brokers.rabbitmq import RabbitServer
from penstock.listener.source import Rejectable, SourceError
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


async def test_a_message_that_is_rejected_goes_to_the_dead_letter_queue(
    rabbitmq: RabbitServer,
) -> None:
    # given a queue that has one, and a message that can't be read
    where = f"amqp://{rabbitmq.host}:{rabbitmq.port}"
    dead: FieldTable = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    async with await aio_pika.connect(where) as connection:
        channel = await connection.channel()
        await channel.declare_queue("judged", durable=True, arguments=dead)
        letters = await channel.declare_queue("dead", durable=True)
        for body in (b'{"half": ', b'{"n": 1}'):
            await channel.default_exchange.publish(aio_pika.Message(body), "judged")

        # when
        wanted = {**rabbitmq.properties(), "queue": "judged", "serdeType": "JSON"}
        bad = (await polled(BATCH, wanted)).deliveries[0]
        assert isinstance(bad, Rejectable)
        await bad.reject()
        good = (await polled(BATCH, wanted)).deliveries[0]
        await good.acknowledge()
        letter = await letters.get(timeout=10)
        await letter.ack()

    # then
    assert "is not JSON" in str(bad.events[0].problem)
    assert rows_of(good.events[0])[0]["data"] == {"n": 1}
    assert letter.body == b'{"half": '


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
