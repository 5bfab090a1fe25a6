"""One server of each broker for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.fixtures.brokers import programs
from e2e.fixtures.brokers.kafka import KafkaServer
from e2e.fixtures.brokers.mosquitto import MosquittoServer
from e2e.fixtures.brokers.nats import NatsServer
from e2e.fixtures.brokers.rabbitmq import RabbitServer
from e2e.fixtures.brokers.redis import RedisServer
from e2e.fixtures.brokers.server import Server


@pytest.fixture(scope="session")
def installed() -> None:
    programs.ensure_installed()


@pytest.fixture(scope="module")
def redis_server(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(RedisServer(tmp_path_factory.mktemp("redis")))


@pytest.fixture(scope="module")
def mosquitto(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(MosquittoServer(tmp_path_factory.mktemp("mosquitto")))


@pytest.fixture(scope="module")
def nats_server(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(NatsServer(tmp_path_factory.mktemp("nats")))


@pytest.fixture(scope="module")
def rabbitmq(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(RabbitServer(tmp_path_factory.mktemp("rabbitmq")))


@pytest.fixture(scope="module")
def kafka(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(KafkaServer(tmp_path_factory.mktemp("kafka"), programs.kafka_jars()))


def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        server.prepare()
        yield server
    finally:
        server.stop()
