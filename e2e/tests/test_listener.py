"""A listener on a cluster: its pod starts, the gateway knows it, and it starts executions."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.fixtures.brokers import programs
from e2e.fixtures.brokers.redis import RedisServer
from e2e.fixtures.kubernetes import Kubernetes, address_for_pods
from e2e.fixtures.scenario import Scenario

pytestmark = pytest.mark.cluster

ASKING = """
    id: asking
    namespace: company.team
    tasks:
      - {{id: note, type: io.kestra.plugin.core.debug.Return, format: "{{{{ trigger.body }}}}"}}
    triggers:
      - id: ready
        type: io.kestra.plugin.core.http.Trigger
        uri: http://{host}:8084/healthz
        interval: PT5S
        headers: {{X-Key: "{{{{ secret('SHOP_KEY') }}}}"}}
"""


def test_a_listener_starts_executions_and_goes_with_its_last_trigger(scenario: Scenario) -> None:
    # given: a server that every cluster has
    kubernetes, namespace = scenario.kubernetes, scenario.namespace
    service = kubernetes.core.read_namespaced_service("penstock-gateway", "penstock-system")
    secret = {"metadata": {"name": "penstock-secrets"}, "stringData": {"SHOP_KEY": "any"}}
    kubernetes.core.create_namespaced_secret(namespace, secret)
    # when
    flow = scenario.flow(ASKING.format(host=service.spec.cluster_ip)).is_ready()
    # then
    scenario.eventually("an execution", scenario.executions, seconds=120)
    execution = scenario.executions()[0].ends("SUCCESS")
    assert execution.outputs("note") == {"value": "ok"}

    def armed() -> bool:
        (state,) = kubernetes.all("triggerstates", namespace)
        status = state.get("status") or {}
        return status.get("state") == "Armed" and "message" not in status

    scenario.eventually("a report", armed)
    # when the flow goes
    kubernetes.delete("flows", namespace, flow.name)

    # then
    def gone() -> bool:
        return not kubernetes.apps.list_namespaced_deployment(namespace).items

    scenario.eventually("no listener", gone)


BATCH = """
    id: taking
    namespace: company.team
    tasks:
      - id: count
        type: io.kestra.plugin.scripts.shell.Script
        containerImage: penstock.local/busybox:1
        inputFiles: {{messages: "{{{{ trigger.uri }}}}"}}
        script: |
          echo "::{{\\"outputs\\":{{\\"lines\\":$(wc -l < messages)}}}}::"
    triggers:
      - id: orders
        type: io.kestra.plugin.redis.list.Trigger
        url: {url}
        key: numbers
        interval: PT2S
"""


def test_a_batch_is_a_file_that_its_execution_reads(
    scenario: Scenario, kubernetes: Kubernetes, tmp_path: Path
) -> None:
    # given
    programs.ensure_installed()
    server = RedisServer(tmp_path / "redis", address_for_pods(kubernetes))
    server.start()
    try:
        server.send([f"order {number}" for number in range(1_000)])
        # when
        scenario.flow(BATCH.format(url=server.url)).is_ready()
        scenario.eventually("an execution", scenario.executions, seconds=120)
    finally:
        server.stop()
    # then
    counted = [
        view.ends("SUCCESS").outputs("count")["vars"]["lines"] for view in scenario.executions()
    ]
    told = [view.body["spec"]["trigger"]["variables"] for view in scenario.executions()]
    assert sum(counted) == sum(item["count"] for item in told)
    assert counted[0] == told[0]["count"] > 0
    assert told[0]["uri"].endswith("/messages.ion")
    assert "order 1" not in str(told)
