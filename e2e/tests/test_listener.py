"""A listener on a cluster: its pod starts, the gateway knows it, and it starts executions."""

from __future__ import annotations

import pytest

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
