"""Calls of webhooks over HTTP: which of them start an execution, and what is answered."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from penstock.gateway import flows as flows_module
from penstock.gateway.bodies import MOST_BYTES
from penstock.gateway.limits import CPU_BURST, FLOW_BURST, FLOW_RATE
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS
from penstock.resources.trigger_state import new_trigger_state
from tests.fixtures.apiserver import Refused
from tests.unit.gateway.conftest import HOOK, Gateway, accepted, flow

ORDERS = f"{HOOK}/orders/a-long-key"


async def test_a_call_becomes_an_execution(gateway: Gateway) -> None:
    # given
    body = gateway.has(flow(more='inputs: {who: "{{ trigger.body.name }}"}\nlabels: {from: shop}'))
    # when
    answer = await gateway.call(f"{ORDERS}?n=1&n=2", json={"name": "Ada"})
    # then
    (made,) = gateway.executions
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert await answer.json() == {
        "tenantId": "team",
        "id": made["metadata"]["name"],
        "namespace": "company.team",
        "flowId": "orders",
        "flowRevision": 3,
        "trigger": {"id": "hook", "type": "io.kestra.plugin.core.trigger.Webhook"},
        "labels": [{"key": "from", "value": "shop"}],
        "state": {"current": "CREATED", "startDate": made["metadata"]["creationTimestamp"]},
    }
    assert made["spec"]["flow"] == {"name": body["metadata"]["name"]}
    assert made["spec"]["inputs"] == {"who": "Ada"}
    seen = made["spec"]["trigger"]["variables"]
    assert (seen["body"], seen["parameters"]) == ({"name": "Ada"}, {"n": ["1", "2"]})
    assert seen["headers"]["Content-Type"] == ["application/json"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_each_method_starts_one_and_each_call_another(gateway: Gateway, method: str) -> None:
    gateway.has(flow())
    for _ in range(2):
        assert (await gateway.call(ORDERS, method)).status == 200
    assert len(gateway.executions) == 2


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_other_methods_start_none(gateway: Gateway, method: str) -> None:
    gateway.has(flow())
    answer = await gateway.call(ORDERS, method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,POST,PUT")
    assert gateway.executions == []


@pytest.mark.parametrize(
    "path",
    [
        f"{HOOK}/orders/another-key",
        f"{HOOK}/orders/a-long-ke",
        f"{HOOK}/missing/a-long-key",
        "/api/v1/executions/webhook/company.other/orders/a-long-key",
        "/api/v1/other/executions/webhook/company.team/orders/a-long-key",
    ],
)
async def test_every_wrong_address_is_answered_alike(gateway: Gateway, path: str) -> None:
    gateway.has(flow())
    answer = await gateway.call(path)
    told = {"message": "there is no webhook with this address and this key"}
    assert (answer.status, await answer.json()) == (404, told)


@pytest.mark.parametrize("tenant", ["team/", "main/", ""])
async def test_the_address_may_name_the_kubernetes_namespace_or_kestras_tenant(
    gateway: Gateway, tenant: str
) -> None:
    gateway.has(flow())
    path = f"/api/v1/{tenant}executions/webhook/company.team/orders/a-long-key/and/more"
    assert (await gateway.call(path)).status == 200
    assert gateway.executions[0]["spec"]["trigger"]["variables"]["path"] == "and/more"


async def test_a_flow_in_two_kubernetes_namespaces_is_told_apart_by_key_or_address(
    gateway: Gateway,
) -> None:
    # given
    gateway.has(flow(key="one"), "blue")
    gateway.has(flow(key="other"), "green")
    # then: by its key
    assert (await (await gateway.call(f"{HOOK}/orders/other")).json())["tenantId"] == "green"
    # but where that is the same, the address has to say which
    gateway.has(flow(key="other"), "red")
    answer = await gateway.call(f"{HOOK}/orders/other")
    assert (answer.status, "write the one that is meant" in await answer.text()) == (409, True)
    path = "/api/v1/red/executions/webhook/company.team/orders/other"
    assert (await (await gateway.call(path)).json())["tenantId"] == "red"


async def test_a_namesake_that_is_never_accepted_holds_up_nobody(gateway: Gateway) -> None:
    gateway.has(flow())
    gateway.has(flow(key="other"), "envious", observedGeneration=0)
    async with asyncio.timeout(1):
        assert (await gateway.call(ORDERS)).status == 200


async def test_a_flow_that_many_have_has_to_be_told_apart(gateway: Gateway) -> None:
    for number in range(21):
        gateway.has(flow(), f"team-{number}")
    assert (await gateway.call(ORDERS)).status == 409
    path = "/api/v1/team-7/executions/webhook/company.team/orders/a-long-key"
    assert (await gateway.call(path)).status == 200


async def test_a_condition_that_is_not_met_starts_nothing(gateway: Gateway) -> None:
    gateway.has(flow(more="when: \"{{ trigger.body.event == 'push' }}\""))
    for sent, status in (({"event": "push"}, 200), ({"event": "ping"}, 204), ({}, 204)):
        assert (await gateway.call(ORDERS, json=sent)).status == status, sent
    assert len(gateway.executions) == 1


async def test_inputs_that_can_t_be_rendered_are_told(gateway: Gateway) -> None:
    gateway.has(flow(more='inputs: {who: "{{ trigger.body.name }}"}'))
    answer = await gateway.call(ORDERS, json={})
    assert (answer.status, "`name`" in await answer.text()) == (422, True)
    assert gateway.executions == []


async def test_what_is_not_signed_starts_nothing(gateway: Gateway) -> None:
    gateway.has(flow(more="signature: {scheme: GITLAB, secret: known}"))
    assert (await gateway.call(ORDERS)).status == 401
    answer = await gateway.call(ORDERS, headers={"X-Gitlab-Token": "known"})
    assert answer.status == 200
    assert "known" not in json.dumps(gateway.executions)


# --- what comes again -----------------------------------------------------------------------


DELIVERY = {"X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}


async def test_a_delivery_that_comes_again_gets_the_same_answer(gateway: Gateway) -> None:
    # given
    gateway.has(flow())
    sent: dict[str, Any] = {
        "number": 1.0,
        "none": None,
        "list": [{}],
        "big": 2**70,
        "half": "\ud800",
    }
    # when
    first = await gateway.call(ORDERS, json=sent, headers=DELIVERY)
    again = await gateway.call(ORDERS, json=sent, headers={**DELIVERY, "X-Retry": "1"})
    # then
    assert (first.status, again.status) == (200, 200)
    assert (await first.json())["id"] == (await again.json())["id"]
    assert len(gateway.executions) == 1
    # and what the API server makes of the numbers changes nothing
    variables = gateway.executions[0]["spec"]["trigger"]["variables"]
    variables["body"] = {"number": 1, "list": [{}], "big": float(2**70), "half": "\ufffd"}
    assert (await gateway.call(ORDERS, json=sent, headers=DELIVERY)).status == 200


async def test_something_else_under_the_same_delivery_id_is_told(gateway: Gateway) -> None:
    gateway.has(flow())
    assert (await gateway.call(ORDERS, json={"n": 1}, headers=DELIVERY)).status == 200
    answer = await gateway.call(ORDERS, json={"n": 2}, headers=DELIVERY)
    assert (answer.status, len(gateway.executions)) == (409, 1)


async def test_the_same_delivery_to_another_flow_is_another_execution(gateway: Gateway) -> None:
    gateway.has(flow())
    gateway.has(flow("bills"))
    for name in ("orders", "bills"):
        assert (await gateway.call(f"{HOOK}/{name}/a-long-key", headers=DELIVERY)).status == 200
    assert len(gateway.executions) == 2


# --- what the controller says of a flow -------------------------------------------------------


async def test_a_flow_that_was_refused_is_not_served(gateway: Gateway) -> None:
    gateway.has(flow(), conditions=[{"type": "Ready", "status": "False"}])
    assert (await gateway.call(ORDERS)).status == 404


async def test_a_flow_that_has_just_changed_is_served_once_it_is_accepted(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: its key was changed, which the controller has not seen yet
    gateway.has(flow())
    changed = accepted(flow(key="new-key"))
    changed["metadata"]["generation"] = 2
    gateway.flows.seen(changed)
    # then: a call waits
    call = asyncio.create_task(gateway.call(f"{HOOK}/orders/new-key"))
    await asyncio.sleep(0.05)
    assert not call.done()
    changed["status"]["observedGeneration"] = 2
    gateway.server.put(FLOWS, changed)
    gateway.flows.seen(changed)
    assert (await call).status == 200
    # and the old key opens nothing any more
    assert (await gateway.call(ORDERS)).status == 404
    # where the controller is away, the caller is asked to come again
    monkeypatch.setattr(flows_module, "_PATIENCE", 0.05)
    changed["metadata"]["generation"] = 3
    gateway.flows.seen(changed)
    answer = await gateway.call(f"{HOOK}/orders/new-key")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


async def test_what_is_disabled_starts_nothing(gateway: Gateway) -> None:
    gateway.has(flow(more="disabled: true"))
    assert (await gateway.call(ORDERS)).status == 404
    gateway.has(flow("resting") + "disabled: true\n")
    assert (await gateway.call(f"{HOOK}/resting/a-long-key")).status == 409
    assert gateway.executions == []


async def test_the_trigger_state_says_whether_a_webhook_is_enabled(gateway: Gateway) -> None:
    # given
    body = gateway.has(flow(more="disabled: true"))
    state = new_trigger_state(body, "hook", disabled=False)
    gateway.switches.seen(state)
    assert (await gateway.call(ORDERS)).status == 404
    # when: a person enables it, against what the flow says
    state["spec"]["disabled"] = False
    gateway.switches.seen(state)
    assert (await gateway.call(ORDERS)).status == 200
    state["spec"]["disabled"] = True
    gateway.switches.seen(state)
    assert (await gateway.call(ORDERS)).status == 404
    # then: one that is gone says nothing, nor one that no Flow owns
    gateway.has(flow())
    gateway.switches.seen(state | {"metadata": state["metadata"] | {"ownerReferences": []}})
    assert (await gateway.call(ORDERS)).status == 200
    gateway.switches.seen(state)
    assert (await gateway.call(ORDERS)).status == 404
    gateway.switches.removed("team", state["metadata"]["name"])
    assert (await gateway.call(ORDERS)).status == 200


async def test_a_flow_that_is_gone_or_has_no_webhook_any_more_is_not_served(
    gateway: Gateway,
) -> None:
    gateway.has(flow())
    gateway.flows.removed("team", "company.team.orders")
    assert (await gateway.call(ORDERS)).status == 404
    body = gateway.has(flow())
    gateway.flows.seen(body | {"spec": body["spec"] | {"triggers": []}})
    assert (await gateway.call(ORDERS)).status == 404


async def test_a_flow_that_has_no_room_in_memory_is_read_when_it_is_called(
    gateway: Gateway,
) -> None:
    gateway.has(flow())
    gateway.flows._kept.clear()
    for reads in (1, 1):
        assert (await gateway.call(ORDERS)).status == 200
        assert gateway.server.count("GET", FLOWS) == reads


# --- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_with_the_limit(
    gateway: Gateway, is_chunked: bool
) -> None:
    gateway.has(flow())

    async def pieces() -> Any:
        for _ in range(MOST_BYTES // 1024 + 1):
            yield b"x" * 1024

    data = pieces() if is_chunked else b"x" * (MOST_BYTES + 1)
    answer = await gateway.call(ORDERS, data=data)
    told = await answer.json()
    assert (answer.status, told["message"]) == (413, "the body is larger than 512 KiB")
    assert (await gateway.call(ORDERS, data=b"x" * MOST_BYTES)).status == 200


async def test_who_calls_too_often_is_asked_to_wait_and_others_are_not(gateway: Gateway) -> None:
    # given: a flow that was called as often as it may be
    gateway.has(flow(key="one"), "busy")
    gateway.has(flow("quiet"), "other")
    for _ in range(int(FLOW_BURST)):
        gateway.limits.count("busy", "company.team.orders")
    # when
    answer = await gateway.call(f"{HOOK}/orders/one")
    # then
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    assert "more than 50 times a second" in await answer.text()
    assert gateway.executions == []
    assert (await gateway.call(f"{HOOK}/quiet/a-long-key")).status == 200
    # and who has no key uses nothing up
    gateway.now += 1 / FLOW_RATE
    for _ in range(10):
        assert (await gateway.call(f"{HOOK}/orders/wrong")).status == 404
    assert (await gateway.call(f"{HOOK}/orders/one")).status == 200


async def test_expressions_have_a_tenth_of_a_second(gateway: Gateway) -> None:
    heavy = "{{ range(0, 99999) | map('x') | join('') | length > 0 and (range(0, 9999) | join) }}"
    gateway.has(flow(more=f'when: "{heavy}"'))
    began = asyncio.get_running_loop().time()
    assert (await gateway.call(ORDERS)).status == 204
    assert asyncio.get_running_loop().time() - began < 2


async def test_a_flow_that_changes_all_the_time_does_not_make_the_gateway_work_all_the_time(
    gateway: Gateway,
) -> None:
    """Its keys are rendered for each change, whoever calls."""
    gateway.has(flow())
    gateway.has(flow(key="other"), "restless")
    with gateway.limits.computing("restless"):
        gateway.limits._cpu.take("restless", 2 * CPU_BURST)
    path = "/api/v1/restless/executions/webhook/company.team/orders/other"
    assert (await gateway.call(path)).status == 429
    assert (await gateway.call(ORDERS)).status == 200


async def test_what_becomes_too_large_for_the_cluster_is_told(gateway: Gateway) -> None:
    gateway.has(flow())
    for status, words in (
        (413, "Request entity too large"),
        (500, "etcdserver: request is too large"),
        (500, "rpc error: trying to send message larger than max (3001047 vs. 2097152)"),
    ):
        refused = Refused(status, "Large", words)
        end = gateway.server.refuse("POST", EXECUTIONS, refused)
        answer = await gateway.call(ORDERS)
        assert (answer.status, "more room" in await answer.text()) == (413, True)
        end()


async def test_the_api_server_s_words_stay_here(gateway: Gateway) -> None:
    gateway.has(flow())
    end = gateway.server.refuse("POST", EXECUTIONS, Refused(403, "Forbidden", "by user x"))
    answer = await gateway.call(ORDERS)
    assert (answer.status, "user x" in await answer.text()) == (500, False)
    end()
    end = gateway.server.refuse("POST", EXECUTIONS, Refused(403, "Forbidden", "exceeded quota: x"))
    answer = await gateway.call(ORDERS)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    end()
    gateway.server.refuse("POST", EXECUTIONS, Refused(503, "ServiceUnavailable", "etcd is away"))
    answer = await gateway.call(ORDERS)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert "etcd" not in await answer.text()
