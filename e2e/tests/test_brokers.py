"""Numbered events of every broker on a cluster: each has one Execution, whatever is killed."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.fixtures.brokers import programs
from e2e.fixtures.brokers.kafka import KafkaServer
from e2e.fixtures.brokers.mosquitto import MosquittoServer
from e2e.fixtures.brokers.nats import NatsServer
from e2e.fixtures.brokers.rabbitmq import RabbitServer
from e2e.fixtures.brokers.redis import RedisServer
from e2e.fixtures.brokers.server import Server
from e2e.fixtures.controller import Controller
from e2e.fixtures.kubernetes import Kubernetes, address_for_pods
from e2e.fixtures.scenario import Scenario
from e2e.tests.conftest import SYSTEM_NAMESPACE
from penstock.kubernetes.secrets.listener import LABEL
from penstock.resources.listener_report import report_of
from penstock.triggers.brokers import amqp, kafka, mqtt, nats, redis

pytestmark = pytest.mark.cluster

HEARS = """
    id: {id}
    namespace: company.team
    tasks:
      - id: note
        type: io.kestra.plugin.core.execution.Labels
        labels: {{number: "{{{{ trigger.value ?? trigger.data ?? trigger.payload }}}}"}}
    triggers:
      - {trigger}
"""
TYPES = {
    "redis": redis.REALTIME,
    "nats": nats.REALTIME,
    "mqtt": mqtt.REALTIME,
    "amqp": amqp.REALTIME,
    "kafka": kafka.REALTIME,
}
ROUNDS = int(os.environ.get("PENSTOCK_ROUNDS", "4"))
"""How often something is killed; 40 take some minutes."""
NUMBERS = 6


@pytest.fixture
def brokers(kubernetes: Kubernetes, tmp_path: Path) -> Iterator[dict[str, Server]]:
    """One server of each broker, at an address that pods reach."""
    programs.ensure_installed()
    host = address_for_pods(kubernetes)
    servers: dict[str, Server] = {
        "redis": RedisServer(tmp_path / "redis", host),
        "nats": NatsServer(tmp_path / "nats", host),
        "mqtt": MosquittoServer(tmp_path / "mqtt", host),
        "amqp": RabbitServer(tmp_path / "amqp", host),
        "kafka": KafkaServer(tmp_path / "kafka", programs.kafka_jars(), host),
    }
    with ExitStack() as stack, ThreadPoolExecutor() as together:
        for server in servers.values():
            stack.callback(server.stop)
        list(together.map(_begin, servers.values()))
        yield servers


@pytest.mark.alone("kills the controller, the gateway and the listener")
def test_each_event_has_one_execution_whatever_is_killed(
    scenario: Scenario, controller: Controller, brokers: dict[str, Server]
) -> None:
    # given: a flow for each broker, which listens
    for name, server in brokers.items():
        trigger = {"id": "heard", "type": TYPES[name], **server.properties()}
        scenario.flow(HEARS.format(id=name, trigger=yaml.dump(trigger, default_flow_style=True)))
    scenario.eventually("all to listen", lambda: _heard_of(scenario) == len(brokers), seconds=120)

    # when: numbers are sent, while every part is killed and every broker goes away for a while
    choice = random.Random(1)
    names = list(brokers)
    seen: dict[str, tuple[str, str]] = {}
    """The number of each Execution: old ones are deleted."""
    for part in range(ROUNDS):
        sent = [str(part * NUMBERS + each) for each in range(NUMBERS)]
        for server in brokers.values():
            server.send(sent)
        time.sleep(choice.uniform(0, 0.3))
        _kill(scenario, controller, part)
        away = [brokers[name] for number, name in enumerate(names) if number % 4 == part % 4]
        for server in away:
            server.stop()
        time.sleep(choice.uniform(0.5, 2))
        for server in away:
            server.start()
        seen |= _numbers(scenario)

    # then
    wanted = {(name, str(number)) for name in brokers for number in range(ROUNDS * NUMBERS)}

    def is_all_there() -> bool:
        seen.update(_numbers(scenario))
        return wanted <= set(seen.values())

    try:
        scenario.eventually("every number", is_all_there, seconds=120)
    except AssertionError as error:
        raise AssertionError(f"never heard: {sorted(wanted - set(seen.values()))}") from error
    doubled = {number for number, times in Counter(seen.values()).items() if times > 1}
    assert {name for name, _ in doubled} <= {"mqtt"}  # whose messages have no name of their own

    def states() -> set[str]:
        bodies = scenario.kubernetes.all("executions", scenario.namespace)
        return {(body.get("status") or {}).get("state", "") for body in bodies}

    scenario.eventually("all to end", lambda: states() == {"SUCCESS"})


def _begin(server: Server) -> None:
    server.start()
    server.prepare()


def _kill(scenario: Scenario, controller: Controller, part: int) -> None:
    """Kill the listener, the gateway, the controller, and then all of them."""
    which = part % 4
    if which in (0, 3):
        _kill_pods(scenario, scenario.namespace, f"{LABEL}=true")
    if which in (1, 3):
        _kill_pods(scenario, SYSTEM_NAMESPACE, "app.kubernetes.io/name=penstock-gateway")
    if which in (2, 3):
        controller.kill()


def _kill_pods(scenario: Scenario, namespace: str, selector: str) -> None:
    core = scenario.kubernetes.core
    pods = core.list_namespaced_pod(namespace, label_selector=selector).items
    assert pods, f"{selector} selects no pod"
    for pod in pods:
        core.delete_namespaced_pod(pod.metadata.name, namespace, grace_period_seconds=0)


def _heard_of(scenario: Scenario) -> int:
    """Of how many triggers the listener has said that all is well."""
    states = scenario.kubernetes.all("triggerstates", scenario.namespace)
    reports = [report_of(state["metadata"].get("annotations")) for state in states]
    return sum(report is not None and not report.failing for report in reports)


def _numbers(scenario: Scenario) -> dict[str, tuple[str, str]]:
    bodies = scenario.kubernetes.all("executions", scenario.namespace)
    return {body["metadata"]["name"]: _number(body) for body in bodies}


def _number(body: dict[str, Any]) -> tuple[str, str]:
    variables = body["spec"]["trigger"]["variables"]
    found = [variables[name] for name in ("value", "data", "payload") if name in variables]
    return body["spec"]["flow"]["name"].rpartition(".")[2], str(found[0])
