"""What the gateway reads of a Flow."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from penstock.expressions import Expressions
from penstock.gateway.listeners import (
    Acceptance,
    Listener,
    acceptance_of,
    has_triggers,
    listener_of,
    reduced,
)
from penstock.kubernetes.api.client import Object
from tests.unit.gateway.conftest import accepted, flow

WEBHOOK = "io.kestra.plugin.core.trigger.Webhook"
OLD_WEBHOOK = "io.kestra.core.models.triggers.types.Webhook"
CONDITION = "io.kestra.plugin.core.condition.Expression"


def read(body: Object) -> Listener:
    return listener_of(reduced(body), Expressions())


def keys(body: Object) -> list[str]:
    return [hook.key for hook in read(body).hooks]


def test_of_a_flow_only_what_webhooks_need_is_kept() -> None:
    body = accepted(flow() + "variables: {a: 1}\n")
    body["spec"]["triggers"].append({"id": "t", "type": "io.kestra.plugin.core.trigger.Schedule"})
    kept = reduced(body)
    assert set(kept["spec"]) == {"id", "namespace", "variables", "triggers"}
    assert [item["id"] for item in kept["spec"]["triggers"]] == ["hook"]


def test_keys_see_the_flow_and_its_variables() -> None:
    body = accepted(flow(key='"{{ vars.part }}-{{ flow.id }}-{{ trigger.id }}"'))
    body["spec"]["variables"] = {"part": "long"}
    assert keys(body) == ["long-orders-hook"]


def test_a_key_that_takes_too_long_opens_nothing() -> None:
    heavy = "{% for i in range(0, 99999) %}{% for j in range(0, 99999) %}x{% endfor %}{% endfor %}"
    assert keys(accepted(flow(key=f'"{heavy}"'))) == [""]


@pytest.mark.parametrize("default", [WEBHOOK, OLD_WEBHOOK, "io.kestra.plugin.core.trigger"])
def test_plugin_defaults_count(default: str) -> None:
    body = accepted(flow())
    del body["spec"]["triggers"][0]["key"]
    body["spec"]["pluginDefaults"] = [{"type": default, "values": {"key": "given", "foreign": 1}}]
    assert keys(body) == ["given"]


def test_plugin_defaults_that_grow_without_bound_are_not_applied() -> None:
    """Each brings maps for which the next ones count: ten of ten make more values than there is
    memory."""
    body = accepted(flow())
    kinds = [f"some.Condition{number}" for number in range(10)]
    body["spec"]["pluginDefaults"] = [
        {"type": kind, "values": {"conditions": [{"type": below}] * 10}}
        for kind, below in zip(kinds, [*kinds[1:], "some.End"], strict=True)
    ]
    body["spec"]["triggers"][0]["conditions"] = [{"type": kinds[0]}]
    assert keys(body) == []
    # nor many that are large
    body["spec"]["pluginDefaults"] = [
        {
            "type": CONDITION,
            "values": {"expression": "x", "labels": dict.fromkeys(map(str, range(9_000)))},
        }
    ]
    body["spec"]["triggers"][0]["conditions"] = [{"type": CONDITION}] * 1_000
    assert keys(body) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, Acceptance.ACCEPTED),
        ({"observedGeneration": 0}, Acceptance.PENDING),
        ({"observedGeneration": -1, "conditions": []}, Acceptance.PENDING),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, Acceptance.REFUSED),
        ({"conditions": [{"type": "Reconciling", "status": "True"}]}, Acceptance.REFUSED),
    ],
)
def test_what_the_controller_says_of_a_flow(changes: dict[str, Any], told: Acceptance) -> None:
    assert acceptance_of(accepted(flow(), **changes)) is told


def test_a_flow_without_a_status_is_not_accepted_yet() -> None:
    body = accepted(flow())
    del body["status"]
    assert acceptance_of(body) is Acceptance.PENDING


@pytest.mark.parametrize(
    ("triggers", "has_some"),
    [
        ("[]", False),
        ("text", False),
        ("[1, {}, {type: 3}]", False),
        ("[{type: io.kestra.plugin.core.trigger.Schedule}]", False),
        (f"[{{type: {WEBHOOK.upper()}}}]", True),
        (f"[{{type: {OLD_WEBHOOK}}}]", True),
    ],
)
def test_which_flows_have_webhooks(triggers: str, has_some: bool) -> None:
    body = accepted(flow())
    body["spec"]["triggers"] = yaml.safe_load(triggers)
    assert has_triggers(body) is has_some
    assert has_triggers({"metadata": body["metadata"]}) is False
