"""Triggers that take the messages of a queue over AMQP 0-9-1, as RabbitMQ speaks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from penstock.flow.model import RenderedBool
from penstock.flow.problems import Location
from penstock.triggers.brokers.properties import BatchTrigger, BrokerTrigger, SerdeType
from penstock.triggers.kinds import PollTrigger, StreamTrigger

REALTIME = "io.kestra.plugin.amqp.RealtimeTrigger"
BATCH = "io.kestra.plugin.amqp.Trigger"


class _Amqp(BrokerTrigger):
    url: str | None = None
    """The address as one text, `amqp://user:password@host:5672/vhost`; or `host` and the others."""
    host: str | None = None
    """The host of the broker."""
    port: str = "5672"
    """The port of the broker."""
    virtual_host: str = "/"
    """The virtual host."""
    username: str | None = None
    """The user; `guest` where neither this nor `url` names one."""
    password: str | None = None
    """The user's password."""
    queue: Annotated[str, Field(min_length=1)]
    """The queue, which must exist."""
    consumer_tag: str = "Kestra"
    """How the broker names the consumer."""
    auto_ack: RenderedBool = False
    """No effect: a message is acknowledged once its execution is there."""
    serde_type: SerdeType = "STRING"
    """How the body of a message is read: `STRING` or `JSON`."""

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.host is None):
            raise ValueError("give `host` or `url`, and not both")
        return self

    def without_effect(self) -> Iterator[tuple[Location, str]]:
        yield from super().without_effect()
        if self.auto_ack:
            reason = "has no effect: messages are acknowledged once their execution is there"
            yield ("autoAck",), reason


class AmqpRealtime(_Amqp):
    """Starts an execution for each message of a queue.

    ```yaml
    id: orders
    type: io.kestra.plugin.amqp.RealtimeTrigger
    host: rabbitmq
    username: flows
    password: "{{ secret('RABBITMQ') }}"
    queue: orders
    serdeType: JSON
    ```
    """


class AmqpBatch(_Amqp, BatchTrigger):
    """Starts one execution for the messages that are in a queue, from time to time.

    ```yaml
    id: orders
    type: io.kestra.plugin.amqp.Trigger
    host: rabbitmq
    username: flows
    password: "{{ secret('RABBITMQ') }}"
    queue: orders
    maxRecords: 100
    interval: PT30S
    ```
    """


TRIGGERS = (
    StreamTrigger(
        REALTIME, AmqpRealtime, served=True, driver="penstock.listener.sources.amqp:stream"
    ),
    PollTrigger(BATCH, AmqpBatch, served=True, driver="penstock.listener.sources.amqp:poll"),
)
