"""Takes the records of Kafka topics as a member of a consumer group.

A record's offset is committed once its Execution is stored, and never before one that is older and
is not: the group's position is the first record of a partition that is still to be dealt with.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from penstock.listener.source import Event, SourceError, Surroundings
from penstock.listener.sources.certificates import client_context
from penstock.listener.sources.consumer import Message, poll_of, stream_of
from penstock.listener.sources.deserializing import deserialized, read_event
from penstock.triggers.brokers.kafka import KafkaBatch, KafkaRealtime

PROBE_SECONDS = 15.0
"""How long no record may come before the broker is asked whether it is still there; and how long
it may take to answer."""
_LOGIN = re.compile(r"([A-Za-z0-9_.]+)LoginModule\s+(?:required|requisite)\s+(.*?);?\s*", re.DOTALL)
_OPTION = re.compile(r"(\w+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|([^\s;]+))")


@dataclass
class Progress:
    """How far the records of one partition are dealt with."""

    open: set[int] = field(default_factory=set)
    """Offsets that were handed over, and are not acknowledged."""
    position: int = 0
    """The offset after the last one that was taken."""

    @property
    def committable(self) -> int:
        """The offset that the group goes on from after a crash."""
        return min(self.open, default=self.position)


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    """Forgets the progress of partitions that another member of the group has from now on."""

    def __init__(self, progress: dict[TopicPartition, Progress]) -> None:
        self._progress = progress

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self._progress.clear()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._progress.clear()


class KafkaConsumer:
    """Takes records of the partitions that the group gives to this member."""

    def __init__(
        self,
        client: AIOKafkaConsumer,
        properties: KafkaRealtime | KafkaBatch,
        logger: logging.Logger,
    ) -> None:
        self._client = client
        self._properties = properties
        self._logger = logger
        self._progress: dict[TopicPartition, Progress] = {}

    async def subscribe(self) -> None:
        """Join the group for the topics of the trigger, all of which must exist."""
        topic = self._properties.topic
        rebalance = _Rebalance(self._progress)
        if self._properties.topic_pattern is not None:
            try:
                re.compile(self._properties.topic_pattern)
            except re.error as error:
                raise SourceError(f"`topicPattern` is not a regular expression: {error}") from None
            self._client.subscribe(pattern=self._properties.topic_pattern, listener=rebalance)
            return
        wanted = [topic] if isinstance(topic, str) else list(topic or ())
        with self._errors():
            known = await self._client.topics()
        for name in wanted:
            if name not in known:
                raise SourceError(
                    f"Kafka at {self._where} has no topic `{name}`, "
                    "or does not show it to this user"
                )
        self._client.subscribe(wanted, listener=rebalance)

    async def next(self) -> Message[ConsumerRecord]:
        while True:
            record = await self._record()
            progress = self._progress.setdefault(_partition(record), Progress())
            event = self._event(record) if self._passes(record) else None
            progress.position = record.offset + 1
            if event is not None:
                progress.open.add(record.offset)
                return Message(event, record)

    async def acknowledge(self, messages: Sequence[Message[ConsumerRecord]]) -> None:
        changed = set()
        for message in messages:
            partition = _partition(message.handle)
            progress = self._progress.get(partition)
            if progress is not None and message.handle.offset in progress.open:
                progress.open.remove(message.handle.offset)
                changed.add(partition)
        offsets = {partition: self._progress[partition].committable for partition in changed}
        if offsets:
            with self._errors():
                await asyncio.wait_for(self._client.commit(offsets), PROBE_SECONDS)

    async def give_back(self, messages: Sequence[Message[ConsumerRecord]]) -> None:
        """Read the partition once more from the oldest of them."""
        oldest: dict[TopicPartition, int] = {}
        for message in messages:
            partition, offset = _partition(message.handle), message.handle.offset
            if partition in self._progress:
                oldest[partition] = min(offset, oldest.get(partition, offset))
        for partition, offset in oldest.items():
            progress = self._progress[partition]
            progress.open = {known for known in progress.open if known < offset}
            progress.position = offset
            self._client.seek(partition, offset)

    async def reject(self, message: Message[ConsumerRecord]) -> None:
        """Go on behind it: it stays in its topic, under the place that names it."""
        await self.acknowledge([message])

    async def _record(self) -> ConsumerRecord:
        """The next record; while none comes the broker is asked whether it is still there."""
        while True:
            with self._errors():
                found = await self._client.getmany(
                    timeout_ms=int(PROBE_SECONDS * 1000), max_records=1
                )
                for records in found.values():
                    return records[0]
                assigned = self._client.assignment()
                await asyncio.wait_for(self._client.end_offsets(assigned), PROBE_SECONDS)

    def _passes(self, record: ConsumerRecord) -> bool:
        has = dict(record.headers)
        return all(
            has.get(name) is not None and has[name].decode("utf-8", "replace") == wanted
            for name, wanted in self._properties.header_filters.items()
        )

    def _event(self, record: ConsumerRecord) -> Event | None:
        """The event of a record; None where it can't be read, and is to be passed over."""
        place = f"{record.topic}/{record.partition}/{record.offset}"
        event = read_event(f"{place}@{record.timestamp}", partial(self._read, record))
        if event.problem is None or not self._properties.on_serde_error:
            return event
        self._logger.warning("%s: passed over, as onSerdeError says", event.problem)
        return None

    def _read(self, record: ConsumerRecord) -> dict[str, Any]:
        where = (
            f"of the record {record.topic}, partition {record.partition}, offset {record.offset}"
        )
        properties = self._properties
        return {
            "key": deserialized(record.key, properties.key_deserializer, f"the key {where}"),
            "value": deserialized(
                record.value, properties.value_deserializer, f"the value {where}"
            ),
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "headers": [
                {name: None if value is None else value.decode("utf-8", "replace")}
                for name, value in record.headers
            ],
        }

    @property
    def _where(self) -> str:
        return self._properties.properties.get("bootstrap.servers", "")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What the client raises, in words for the flow's author."""
        try:
            yield
        except TimeoutError:
            raise SourceError(f"Kafka at {self._where} does not answer") from None
        except (KafkaError, OSError) as error:
            raise SourceError(f"Kafka at {self._where}: {type(error).__name__}: {error}") from None


@asynccontextmanager
async def consumer(
    properties: KafkaRealtime | KafkaBatch, surroundings: Surroundings
) -> AsyncIterator[KafkaConsumer]:
    """Open a consumer as a member of the trigger's group."""
    given = properties.properties
    servers = given.get("bootstrap.servers", "")
    if not servers:
        raise SourceError("`properties` must have `bootstrap.servers`")
    client = AIOKafkaConsumer(
        bootstrap_servers=servers.split(","),
        group_id=properties.group_id,
        enable_auto_commit=False,
        isolation_level="read_committed",
        **connection_options(given),
    )
    try:
        try:
            await client.start()
        except (KafkaError, OSError, TimeoutError, ValueError) as error:
            raise SourceError(
                f"no broker at {servers} can be reached with these credentials: {error}"
            ) from None
        opened = KafkaConsumer(client, properties, surroundings.logger)
        await opened.subscribe()
        yield opened
    finally:
        await client.stop()


def connection_options(given: Mapping[str, str]) -> dict[str, Any]:
    """The client's options for properties that are named as the Java client names them."""
    options: dict[str, Any] = {
        "auto_offset_reset": given.get("auto.offset.reset", "latest"),
        "client_id": given.get("client.id", "penstock"),
        "security_protocol": given.get("security.protocol", "PLAINTEXT").upper(),
    }
    if options["auto_offset_reset"] not in ("earliest", "latest", "none"):
        raise SourceError("`auto.offset.reset` must be earliest, latest or none")
    for name in ("session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms",
                 "request.timeout.ms"):  # fmt: skip
        if name in given:
            options[name.replace(".", "_")] = _whole(name, given[name])
    if options["security_protocol"].startswith("SASL"):
        options.update(_login(given))
    if options["security_protocol"].endswith("SSL"):
        options["ssl_context"] = _tls(given)
    return options


def _login(given: Mapping[str, str]) -> dict[str, str]:
    mechanism = given.get("sasl.mechanism", "PLAIN").upper()
    if mechanism not in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        raise SourceError(
            f"`sasl.mechanism: {mechanism}` is not served: use PLAIN, SCRAM-SHA-256 "
            "or SCRAM-SHA-512"
        )
    match = _LOGIN.fullmatch(given.get("sasl.jaas.config", "").strip())
    found = dict(_options(match[2])) if match else {}
    if not {"username", "password"} <= found.keys():
        raise SourceError(
            "`sasl.jaas.config` must name a PlainLoginModule or ScramLoginModule with a username "
            'and a password: …PlainLoginModule required username="…" password="…";'
        )
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": found["username"],
        "sasl_plain_password": found["password"],
    }


def _options(text: str) -> Iterator[tuple[str, str]]:
    for name, *values in _OPTION.findall(text):
        yield name, re.sub(r"\\(.)", r"\1", next(filter(None, values), ""))


def _tls(given: Mapping[str, str]) -> ssl.SSLContext:
    return client_context(
        given.get("ssl.truststore.certificates"),
        given.get("ssl.keystore.certificate.chain"),
        given.get("ssl.keystore.key"),
        given.get("ssl.key.password"),
        checks_host=given.get("ssl.endpoint.identification.algorithm", "https") != "",
    )


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SourceError(f"`{name}` must be a whole number") from None


def _partition(record: ConsumerRecord) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


stream = stream_of(consumer)
poll = poll_of(consumer)
