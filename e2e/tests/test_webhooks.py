"""Webhooks and push hooks, by way of the Service of the gateway that the chart installed."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import pytest

from e2e.fixtures.kubernetes import Kubernetes
from e2e.fixtures.scenario import Scenario

SYSTEM_NAMESPACE = "penstock-system"
PRICE = """
    id: price
    namespace: company.team
    tasks:
      - id: look-up
        type: io.kestra.plugin.core.debug.Return
        format: "{{ trigger.body.pieces * 12 }}"
    outputs:
      - {id: price, type: INT, value: "{{ outputs['look-up'].value }}"}
    triggers:
      - {id: plain, type: io.kestra.plugin.core.trigger.Webhook, key: plain-key}
      - id: asking
        type: io.kestra.plugin.core.trigger.Webhook
        key: asking-key
        wait: true
        returnOutputs: true
"""


@pytest.fixture(scope="module")
def gateway(kubernetes: Kubernetes) -> str:
    """Where the gateway is."""
    spec = kubernetes.core.read_namespaced_service("penstock-gateway", SYSTEM_NAMESPACE).spec
    return f"http://{spec.cluster_ip}:{spec.ports[0].port}"


def called(
    url: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """The status and the JSON of the answer to a POST."""
    content = json.dumps(body or {}).encode()
    request = urllib.request.Request(url, content, dict(headers or {}), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or "null")


def webhook(gateway: str, scenario: Scenario, key: str) -> str:
    place = f"{scenario.namespace}/executions/webhook/company.team/price"
    return f"{gateway}/api/v1/{place}/{key}"


def test_a_call_starts_an_execution_once_for_each_delivery(
    scenario: Scenario, gateway: str
) -> None:
    # given
    flow = scenario.flow(PRICE)
    assert [item["served"] for item in flow.body["status"]["triggers"]] == [True, True]
    url = webhook(gateway, scenario, "plain-key")
    # when
    delivery = {"X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
    (first, answer), (second, same) = (called(url, {"pieces": 2}, delivery) for _ in range(2))
    # then
    assert (first, second, answer["id"]) == (200, 200, same["id"])
    (execution,) = scenario.executions()
    assert execution.name == answer["id"]
    assert execution.ends("SUCCESS").status["outputs"] == {"price": 24}
    assert called(webhook(gateway, scenario, "wrong-key"))[0] == 404


def test_an_answer_waits_for_the_outputs(scenario: Scenario, gateway: str) -> None:
    scenario.flow(PRICE)
    url = webhook(gateway, scenario, "asking-key")
    assert called(url, {"pieces": 3}) == (200, {"price": 36})


def test_a_push_hook_has_a_commit_taken_in_long_before_the_interval(
    scenario: Scenario, gateway: str
) -> None:
    # given: a source that is asked once a day
    repository = scenario.repository({"one.yaml": _logging("one")})
    source = scenario.git_source(interval="24h")
    scenario.eventually("the first commit", lambda: scenario.source_status().get("appliedCommit"))
    # when
    commit = repository.commit({"two.yaml": _logging("two")})
    push = f"{gateway}/api/v1/gitsources/{scenario.namespace}/{source}/push"
    assert called(push, {"ref": "refs/heads/main"}) == (202, None)
    # then
    scenario.eventually(
        "the second commit", lambda: scenario.source_status().get("appliedCommit") == commit
    )
    assert called(push.replace(source, "missing")) == (202, None)


def _logging(id: str) -> str:
    task = "{id: say, type: io.kestra.plugin.core.log.Log, message: hello}"
    return f"id: {id}\nnamespace: company.team\ntasks:\n  - {task}\n"
