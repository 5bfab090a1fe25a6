"""Triggers of brokers: what of them is served, and how a connection is read from a flow."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from penstock.listener.source import SourceError
from penstock.listener.sources.deserializing import deserialized
from penstock.listener.sources.kafka import Progress, connection_options
from penstock.listener.sources.redis import held_key
from penstock.triggers.brokers.amqp import AmqpRealtime
from penstock.triggers.brokers.kafka import KafkaRealtime
from penstock.triggers.brokers.nats import NatsRealtime

KAFKA = {"topic": "t", "groupId": "g", "properties": {"bootstrap.servers": "kafka:9092"}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"valueDeserializer": "json"}, None),
        ({"onSerdeError": {"type": "SKIPPED"}}, None),
        ({"onSerdeError": {"type": "DLQ"}}, "`onSerdeError.type: DLQ` is not served"),
        ({"groupType": "SHARE"}, "`groupType: SHARE` is not served"),
        ({"partitions": [1]}, "`partitions` is not served"),
        ({"valueDeserializer": "AVRO"}, "the deserializer AVRO is not served"),
        ({"properties": {"ssl.keystore.location": "x"}}, "give certificates as PEM"),
        ({"properties": {"interceptor.classes": "x"}}, "has `interceptor.classes`"),
    ],
)
def test_what_of_kafka_is_not_served_is_said(change: dict[str, Any], words: str | None) -> None:
    told = KafkaRealtime.model_validate({**KAFKA, **change}, context={}).not_served
    assert told is None if words is None else words in str(told)


@pytest.mark.parametrize("policy", ["ALL", "All", "BY_START_TIME", "LastPerSubject"])
def test_a_policy_of_nats_may_be_written_either_way(policy: str) -> None:
    text = {"url": "u", "subject": "s", "deliverPolicy": policy, "since": "2026-01-31T09:00:00Z"}
    assert NatsRealtime.model_validate(text, context={}).not_served is None


@pytest.mark.parametrize("address", [{}, {"host": "h", "url": "amqp://h"}])
def test_a_queue_has_one_address(address: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="give `host` or `url`"):
        AmqpRealtime.model_validate({"queue": "q", **address}, context={})


def test_a_login_is_read_from_the_text_of_javas_client() -> None:
    # given
    text = (
        "org.apache.kafka.common.security.scram.ScramLoginModule required\n"
        '  username="flows" password="a \\"quoted\\" one; with more";'
    )

    # when
    options = connection_options(
        {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.jaas.config": text,
        }
    )

    # then
    assert options["sasl_plain_username"] == "flows"
    assert options["sasl_plain_password"] == 'a "quoted" one; with more'
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}, "use PLAIN"),
        ({"security.protocol": "SASL_SSL", "sasl.jaas.config": "hunter2"}, "must name a Plain"),
        ({"security.protocol": "SSL", "ssl.truststore.certificates": "?"}, "neither PEM nor"),
        ({"auto.offset.reset": "beginning"}, "must be earliest, latest or none"),
        ({"session.timeout.ms": "soon"}, "must be a whole number"),
    ],
)
def test_a_connection_that_cant_be_read_is_told(given: dict[str, str], words: str) -> None:
    with pytest.raises(SourceError, match=words) as refused:
        connection_options(given)
    assert "hunter2" not in str(refused.value)


def test_a_partition_goes_on_from_its_oldest_open_record() -> None:
    assert Progress({4, 7}, 9).committable == 4
    assert Progress(set(), 9).committable == 9


@pytest.mark.parametrize(
    ("data", "kind", "value"),
    [
        (b'{"n": 1}', "JSON", {"n": 1}),
        (b"\xff", "STRING", "�"),
        (b"\xff", "BYTES", "/w=="),
        (b"\x00\x00\x00\x07", "INTEGER", 7),
        (None, "JSON", None),
    ],
)
def test_bytes_become_values(data: bytes | None, kind: str, value: Any) -> None:
    assert deserialized(data, kind, "it") == value


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"{", "JSON", "it is not JSON"),
        (b"NaN", "JSON", "it is not JSON"),
        (b"\xff\xfe\xff", "JSON", "it is not JSON"),
        (b"[" * 5000, "JSON", "it is"),
        (b"[" * 150 + b"]" * 150, "JSON", "nested deeper"),
        (b"\x00", "LONG", "has 1 bytes, and LONG needs 8"),
    ],
)
def test_bytes_that_are_something_else_are_told(data: bytes, kind: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        deserialized(data, kind, "it")


@pytest.mark.parametrize(
    ("key", "held"),
    [("jobs", "{jobs}:penstock:n"), ("a{b}c", "a{b}c:penstock:n"), ("a{}", "{a{}}:penstock:n")],
)
def test_what_is_held_is_where_the_list_is_in_a_cluster(key: str, held: str) -> None:
    assert held_key(key, "n") == held
