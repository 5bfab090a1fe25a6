"""Triggers that take the elements of a list in Redis."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from penstock.triggers.brokers.properties import BatchTrigger, BrokerTrigger, Count, SerdeType
from penstock.triggers.kinds import PollTrigger, StreamTrigger

REALTIME = "io.kestra.plugin.redis.list.RealtimeTrigger"
BATCH = "io.kestra.plugin.redis.list.Trigger"


class _RedisList(BrokerTrigger):
    url: Annotated[str, Field(min_length=1)]
    """The address of the server, `redis://` or `rediss://`, with a password and a database where
    it needs them: `redis://:{{ secret('REDIS') }}@redis:6379/0`."""
    key: Annotated[str, Field(min_length=1)]
    """The key of the list. Elements are taken from its left end."""
    serde_type: SerdeType = "STRING"
    """How an element is read: `STRING` or `JSON`."""


class RedisListRealtime(_RedisList):
    """Starts an execution for each element of a list.

    ```yaml
    id: orders
    type: io.kestra.plugin.redis.list.RealtimeTrigger
    url: redis://redis:6379/0
    key: orders
    ```
    """


class RedisListBatch(_RedisList, BatchTrigger):
    """Starts one execution for the elements that are in a list, from time to time.

    ```yaml
    id: orders
    type: io.kestra.plugin.redis.list.Trigger
    url: redis://redis:6379/0
    key: orders
    maxRecords: 100
    interval: PT30S
    ```
    """

    count: Count = 100
    """No effect: how many elements are taken at once is the listener's affair."""

    @property
    def idle(self) -> timedelta:
        return timedelta(milliseconds=300)


TRIGGERS = (
    StreamTrigger(
        REALTIME, RedisListRealtime, served=True, driver="penstock.listener.sources.redis:stream"
    ),
    PollTrigger(
        BATCH,
        RedisListBatch,
        ("io.kestra.plugin.redis.TriggerList",),
        served=True,
        driver="penstock.listener.sources.redis:poll",
    ),
)
