"""Triggers that take the records of Kafka topics as a consumer group."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from penstock.flow.model import DurationProperty, Rendered
from penstock.triggers.brokers.properties import BatchTrigger, BrokerTrigger, in_capitals, wait_of
from penstock.triggers.kinds import PollTrigger, StreamTrigger

REALTIME = "io.kestra.plugin.kafka.RealtimeTrigger"
BATCH = "io.kestra.plugin.kafka.Trigger"

SERVED_DESERIALIZERS = (
    *("STRING", "JSON", "INTEGER", "LONG", "SHORT", "FLOAT", "DOUBLE"),
    *("BYTE_ARRAY", "BYTE_BUFFER", "BYTES", "UUID", "VOID"),
)
SERVED_PROPERTIES = (
    *("bootstrap.servers", "client.id", "auto.offset.reset", "group.id"),
    *("security.protocol", "sasl.mechanism", "sasl.jaas.config"),
    *(
        "ssl.truststore.type",
        "ssl.truststore.certificates",
        "ssl.endpoint.identification.algorithm",
    ),
    *(
        "ssl.keystore.type",
        "ssl.keystore.certificate.chain",
        "ssl.keystore.key",
        "ssl.key.password",
    ),
    *("session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms", "request.timeout.ms"),
    *("enable.auto.commit", "isolation.level", "max.poll.records"),
)
"""The names of the Java client that are understood. The last three change nothing: a record is
committed once its execution is there, and records of aborted transactions are never read."""


Deserializer = Annotated[
    Literal[
        "STRING", "JSON", "INTEGER", "LONG", "SHORT", "FLOAT", "DOUBLE", "BYTE_ARRAY",
        "BYTE_BUFFER", "BYTES", "UUID", "VOID", "AVRO", "PROTOBUF",
    ],
    BeforeValidator(in_capitals),
    Rendered,
]  # fmt: skip
"""How the bytes of a key or a value are read."""


class _Kafka(BrokerTrigger):
    topic: str | list[str] | None = None
    """A topic, or a list of them."""
    topic_pattern: str | None = None
    """A regular expression for the names of topics, in place of `topic`."""
    group_id: Annotated[str, Field(min_length=1)]
    """The consumer group, which keeps how far the topic was read."""
    properties: dict[str, str]
    """The connection, by the names of Kafka's Java client: `bootstrap.servers`,
    `auto.offset.reset` (`latest` where it is not given), `security.protocol`, `sasl.mechanism`,
    `sasl.jaas.config`, and certificates as PEM."""
    key_deserializer: Deserializer = "STRING"
    """How the key of a record is read."""
    value_deserializer: Deserializer = "STRING"
    """How the value of a record is read."""
    header_filters: dict[str, str] = {}
    """Headers that a record must have, with their values; other records are passed over."""
    group_type: str = "CONSUMER"
    """`CONSUMER`; share groups are not served."""
    partitions: list[int] = []
    """Not served: the group divides the partitions among its consumers."""
    serde_properties: dict[str, Any] = {}
    """Not served: there is no client of a schema registry."""
    schema_registry_vendor: Any = None
    """Not served, as `serdeProperties`."""
    acknowledge_type: str | None = None
    """No effect: it belongs to share groups."""
    on_serde_error: dict[str, Any] = {}
    """`type: SKIPPED` passes over records that the deserializer can't read. Without it such a
    record is not committed, and the trigger fails at it until somebody decides."""
    since: str | None = None
    """No effect: a group goes on where it ended."""
    poll_duration: DurationProperty = timedelta(seconds=5)
    """After how long without a record a batch ends."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.topic is None) == (self.topic_pattern is None):
            raise ValueError("give `topic` or `topicPattern`, and not both")
        return self

    @property
    def not_served(self) -> str | None:
        if self.group_type.upper() != "CONSUMER":
            return f"`groupType: {self.group_type}` is not served: use CONSUMER"
        if self.partitions:
            return "`partitions` is not served: leave it out, and the group divides them"
        for kind in (self.key_deserializer, self.value_deserializer):
            if kind in ("AVRO", "PROTOBUF"):
                return f"the deserializer {kind} is not served: there is no schema registry client"
        handling = str(self.on_serde_error.get("type", "SKIPPED")).upper()
        if handling != "SKIPPED":
            return f"`onSerdeError.type: {handling}` is not served: use SKIPPED"
        for name in self.properties:
            if name not in SERVED_PROPERTIES:
                return f"`properties` has `{name}`, which is not served{_in_place_of(name)}"
        return super().not_served


def _in_place_of(name: str) -> str:
    if name.startswith(("ssl.truststore", "ssl.keystore")):
        return (
            ": give certificates as PEM, in `ssl.truststore.certificates`, "
            "`ssl.keystore.certificate.chain` and `ssl.keystore.key`"
        )
    return ": leave it out"


class KafkaRealtime(_Kafka):
    """Starts an execution for each record of a topic.

    ```yaml
    id: orders
    type: io.kestra.plugin.kafka.RealtimeTrigger
    topic: orders
    groupId: penstock
    valueDeserializer: JSON
    properties:
      bootstrap.servers: kafka:9092
      auto.offset.reset: earliest
    ```
    """


class KafkaBatch(_Kafka, BatchTrigger):
    """Starts one execution for the new records of a topic, from time to time.

    ```yaml
    id: orders
    type: io.kestra.plugin.kafka.Trigger
    topic: orders
    groupId: penstock
    interval: PT30S
    maxRecords: 500
    properties:
      bootstrap.servers: kafka:9092
      auto.offset.reset: earliest
    ```
    """

    @property
    def idle(self) -> timedelta:
        return wait_of(self.poll_duration, timedelta(seconds=5))


TRIGGERS = (
    StreamTrigger(
        REALTIME, KafkaRealtime, served=True, driver="penstock.listener.sources.kafka:stream"
    ),
    PollTrigger(BATCH, KafkaBatch, served=True, driver="penstock.listener.sources.kafka:poll"),
)
