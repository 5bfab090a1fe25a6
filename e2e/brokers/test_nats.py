"""Streams of NATS: nothing is lost, a message keeps its key, and what is wrong is told in words."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from e2e.brokers.listening import opened, polled, rows_of
from e2e.brokers.numbers import distinct, every_number, heard_through_crashes
from e2e.fixtures.brokers.nats import NatsServer
from penstock.listener.source import SourceError
from penstock.triggers.brokers.nats import BATCH, REALTIME


def test_every_message_is_heard_under_one_key(nats_server: NatsServer, tmp_path: Path) -> None:
    # when
    keys = heard_through_crashes(nats_server, REALTIME, lambda found: found["data"], tmp_path)

    # then
    assert set(keys) == every_number()
    assert all(len(of_one) == 1 for of_one in keys.values())
    assert distinct(keys)


async def test_a_batch_is_one_event_and_goes_on_after_it(nats_server: NatsServer) -> None:
    # given
    await asyncio.to_thread(nats_server.send, ["a", "b", "c"])
    batch = {
        **nats_server.properties(),
        "durableId": None,
        "maxRecords": 2,
        "pollDuration": "PT1S",
        "deliverPolicy": "LAST",
    }
    first = await polled(BATCH, batch)
    await first.deliveries[0].give_back()

    # when
    again = await polled(BATCH, batch)
    await again.deliveries[0].acknowledge()

    # then
    (event,) = again.deliveries[0].events
    assert event == first.deliveries[0].events[0]
    assert event.variables["messagesCount"] == 1
    assert rows_of(event)[0]["data"] == "c"
    assert rows_of(event)[0]["subject"] == "numbers.all"
    assert (await polled(BATCH, batch)).deliveries == ()


async def test_a_message_that_is_rejected_does_not_come_again(nats_server: NatsServer) -> None:
    # given
    properties = {**nats_server.properties(), "durableId": "judge", "deliverPolicy": "New"}
    async with opened(REALTIME, properties) as source:
        await asyncio.to_thread(nats_server.send, ["bad", "good"])
        deliveries = source.deliveries()

        # when
        bad = await anext(deliveries)
        await bad.reject()
        good = await anext(deliveries)
        await good.acknowledge()

    # then
    assert [each.events[0].variables["data"] for each in (bad, good)] == ["bad", "good"]
    assert (await polled(BATCH, {**properties, "pollDuration": "PT2S"})).deliveries == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"password": "wrong"}, "refuses the credentials"),
        ({"url": "nats://127.0.0.1:1"}, "NATS at nats://127.0.0.1:1 can't be used"),
        ({"subject": "letters.a"}, "no stream of JetStream at .* has the subject `letters.a`"),
    ],
)
async def test_what_is_wrong_is_told(
    nats_server: NatsServer, change: dict[str, str], told: str
) -> None:
    with pytest.raises(SourceError, match=told) as refused:
        async with opened(REALTIME, {**nats_server.properties(), **change}):
            pass
    assert "nats-secret" not in str(refused.value)
