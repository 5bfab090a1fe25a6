"""Topics of Mosquitto: nothing is lost while listeners die, and what is wrong is told in words."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from e2e.brokers.listening import opened, polled, rows_of
from e2e.brokers.numbers import distinct, every_number, heard_through_crashes
from e2e.fixtures.brokers.mosquitto import MosquittoServer
from penstock.listener.source import SourceError
from penstock.triggers.brokers.mqtt import BATCH, REALTIME


def test_every_message_is_heard(mosquitto: MosquittoServer, tmp_path: Path) -> None:
    # given
    asyncio.run(_subscribe(mosquitto))

    # when
    keys = heard_through_crashes(mosquitto, REALTIME, lambda found: found["payload"], tmp_path)

    # then
    assert set(keys) == every_number()
    assert distinct(keys)


async def test_what_came_meanwhile_is_in_the_next_batch(mosquitto: MosquittoServer) -> None:
    # given
    batch = {**mosquitto.properties(), "clientId": "batches", "serdeType": "JSON"}
    assert (await polled(BATCH, batch)).deliveries == ()
    await asyncio.to_thread(mosquitto.send, ['{"n": 1}', '{"n": 2}'])

    # when
    found = await polled(BATCH, batch)
    await found.deliveries[0].acknowledge()

    # then
    (event,) = found.deliveries[0].events
    assert event.variables["messagesCount"] == 2
    assert [message["payload"] for message in rows_of(event)] == [{"n": 1}, {"n": 2}]
    assert rows_of(event)[0]["topic"] == "numbers/all"
    assert (await polled(BATCH, batch)).deliveries == ()


async def test_a_message_that_is_not_acknowledged_comes_again(mosquitto: MosquittoServer) -> None:
    # given
    properties = {**mosquitto.properties(), "clientId": "again", "mqttVersion": "V3"}
    values = []
    async with opened(REALTIME, properties) as source:
        await asyncio.to_thread(mosquitto.send, ["once"])
        first = await anext(source.deliveries())
        await first.give_back()
        same = await anext(source.deliveries())

    # when
    async with opened(REALTIME, properties) as source:
        delivery = await anext(source.deliveries())
        values.append(delivery.events[0].variables["payload"])
        await delivery.acknowledge()

    # then
    assert same.events == first.events
    assert values == ["once"]


async def _subscribe(server: MosquittoServer) -> None:
    """Make the session: a broker keeps messages for those alone that subscribed once."""
    async with opened(REALTIME, server.properties()):
        pass


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"server": "tcp://127.0.0.1:1"}, "MQTT at 127.0.0.1:1 can't be reached"),
        ({"server": "http://127.0.0.1"}, "`server` must be an address"),
        ({"topic": "a/#/b"}, "`topic` can't be subscribed to"),
    ],
)
async def test_what_is_wrong_is_told(
    mosquitto: MosquittoServer, change: dict[str, str], told: str
) -> None:
    with pytest.raises(SourceError, match=told):
        async with opened(REALTIME, {**mosquitto.properties(), **change}):
            pass
