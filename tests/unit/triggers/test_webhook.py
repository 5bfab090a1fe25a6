"""Webhooks: which request starts an execution, and what it hands over."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from penstock.flow.document import Trigger
from penstock.triggers.webhook import WEBHOOK, Webhook, receive
from penstock.triggers.webhook_request import Request, request_variables
from tests.unit.triggers.context import at, context

EXPRESSION = "io.kestra.plugin.core.condition.Expression"


def hook(key: str, id: str = "hook", type: str = WEBHOOK, **more: Any) -> Trigger:
    disabled = more.pop("disabled", False)
    return Trigger(id=id, type=type, disabled=disabled, properties={"key": key, **more})


def request(method: str = "GET", **more: Any) -> Request:
    return Request(method, "request-1", at("2025-01-01T09:00"), **more)


GET = request()


@pytest.mark.parametrize(
    ("triggers", "key", "found"),
    [
        ([hook("a-secret-key")], "a-secret-key", "hook"),
        ([hook("a-secret-key", type=WEBHOOK.upper())], "a-secret-key", "hook"),
        ([hook("a-secret-key", type="io.kestra.core.models.triggers.types.Webhook")],
         "a-secret-key", "hook"),
        ([hook("{{ flow.id }}")], "listener", "hook"),
        ([hook("{{ trigger.id }}-{{ vars.n }}")], "hook-3", "hook"),
        ([hook("one", "first"), hook("two", "second")], "two", "second"),
        ([hook("same", "first"), hook("same", "second")], "same", "first"),
        ([hook("a-secret-key")], "a-secret-ke", None),
        ([hook("a-secret-key")], "A-SECRET-KEY", None),
        ([hook("a-secret-key", disabled=True)], "a-secret-key", None),
        ([hook("{{ flow.id }}")], "{{ flow.id }}", None),
        ([hook("{{ vars.missing }}")], "", None),
        ([hook("{{ vars.none }}")], "", None),
        ([hook("schlüssel")], "schlüssel", "hook"),
        ([hook("k", type="io.kestra.plugin.core.trigger.Flow")], "k", None),
        ([], "k", None),
    ],
)  # fmt: skip
def test_the_key_opens_the_webhook(triggers: list[Trigger], key: str, found: str | None) -> None:
    answer = receive(triggers, key, GET, context(vars={"n": 3, "none": None}))
    assert (answer.status, answer.trigger and answer.trigger.id) == (200 if found else 404, found)


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 200), ("POST", 200), ("put", 200), ("DELETE", 405)]
)
def test_methods(method: str, status: int) -> None:
    assert receive([hook("k")], "k", request(method), context()).status == status


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b'{"hello": "world"}', "application/json", {"hello": "world"}),
        (b"[1, 2]", None, [1, 2]),
        (b"3", "application/json", "3"),
        (b'"text"', "application/json", '"text"'),
        (b"{broken", "application/json", "{broken"),
        (b"", "application/json", None),
        ("grün".encode(), "text/plain", "grün"),
        ("grün".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grün"),
        ("grün".encode(), "text/plain; charset=klingon", "grün"),
        (b'{"n": NaN}', None, '{"n": NaN}'),
        (b"a=1&b=2", "application/x-www-form-urlencoded", "a=1&b=2"),
        (b"[" * 95 + b"]" * 95, "application/json", "[" * 95 + "]" * 95),
    ],
)
def test_the_body(body: bytes, content_type: str | None, expected: object) -> None:
    came = request("POST", body=body, content_type=content_type)
    firing = receive([hook("k")], "k", came, context()).firing
    assert firing is not None
    assert firing.variables["body"] == expected


def test_headers_and_parameters_are_lists() -> None:
    headers, parameters = {"X-Event": ["push"], "Accept": ["a", "b"]}, {"q": ["1", "2"]}
    came = request(headers=headers, parameters=parameters)
    firing = receive([hook("k")], "k", came, context()).firing
    assert firing is not None
    assert firing.variables == {"body": None, "headers": headers, "parameters": parameters}


def test_the_execution_of_a_request() -> None:
    # given
    trigger = hook(
        "k",
        inputs={"who": "{{ trigger.body.name }}"},
        labels={"of": "{{ flow.id }}", "n": "{{ x }}"},
    )
    # when
    firing = receive([trigger], "k", request("POST", body=b'{"name": "you"}'), context()).firing
    # then
    assert firing is not None
    assert (firing.key, firing.inputs) == ("request-1", {"who": "you"})
    assert firing.labels == {"of": "listener"}
    assert firing.problems[0].startswith("its label n is left out")


def test_inputs_that_can_t_be_rendered_start_nothing() -> None:
    trigger = hook("k", inputs={"who": "{{ trigger.body.name }}"})
    answer = receive([trigger], "k", request("POST", body=b"{}"), context())
    assert (answer.status, answer.firing) == (422, None)
    assert "inputs can't be rendered" in str(answer.error)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, "request-1"),
        ({"Idempotency-Key": ["a-1"]}, "idempotency-key/a-1"),
        ({"X-GitHub-Delivery": ["72d3162e"]}, "x-github-delivery/72d3162e"),
        ({"webhook-id": ["msg_1"]}, "webhook-id/msg_1"),
        ({"Idempotency-Key": ["one"], "X-GitHub-Delivery": ["other"]}, "idempotency-key/one"),
        ({"Idempotency-Key": ["x" * 2_000]}, "request-1"),
        ({"Idempotency-Key": [""]}, "request-1"),
    ],
)
def test_what_the_sender_calls_a_delivery_is_the_key_of_the_firing(
    headers: dict[str, list[str]], key: str
) -> None:
    firing = receive([hook("k")], "k", request(headers=headers), context()).firing
    assert firing is not None
    assert firing.key == key


def test_credentials_are_seen_by_conditions_and_kept_nowhere() -> None:
    # given
    headers = {"Authorization": ["Bearer t"], "cookie": ["c"], "X-Event": ["push"]}
    trigger = hook("k", when="{{ trigger.headers.Authorization[0] == 'Bearer t' }}")
    # when
    firing = receive([trigger], "k", request(headers=headers), context()).firing
    # then
    assert firing is not None
    assert firing.variables["headers"] == {"X-Event": ["push"]}


def test_what_stands_behind_the_key_is_the_path() -> None:
    firing = receive([hook("k")], "k", request(path="orders/7"), context()).firing
    assert firing is not None
    assert firing.variables["path"] == "orders/7"


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"key": "{{ secret('HOOK') }}"}, "`key` is a secret()"),
        (
            {"key": "k", "signature": {"scheme": "GITHUB", "secret": "{{ secret( 'S' ) }}"}},
            "`signature.secret` is a secret()",
        ),
        ({"key": "k", "when": "{{ kv('on') == 'yes' }}"}, "`when` calls kv()"),
        ({"key": "k", "inputs": {"a": [{"b": "{{ read('nsfile:///x') }}"}]}}, "calls read()"),
        ({"key": "{{ kv('key') }}"}, "`key` calls kv()"),
    ],
)
def test_what_needs_more_than_flows_is_not_served(properties: dict[str, Any], words: str) -> None:
    # given
    told = Webhook.model_validate(properties).not_served
    # then
    assert told is not None
    assert words in told
    # and nothing opens it, whatever its key may be
    trigger = Trigger(id="hook", type=WEBHOOK, properties=properties)
    for key in (properties["key"], "", "null"):
        assert receive([trigger], key, GET, context()).status == 404


def test_a_text_that_never_closes_is_read_in_a_moment() -> None:
    began = time.process_time()
    webhook = Webhook.model_validate({"key": "k", "inputs": {"a": "{{" * 200_000}})
    assert webhook.not_served is None
    assert time.process_time() - began < 2


def test_texts_that_only_look_like_calls_are_served() -> None:
    plain = {"key": "secret('x')", "inputs": {"a": "read(me) and {{ trigger.body.read }}"}}
    assert Webhook.model_validate(plain).not_served is None


@pytest.mark.parametrize(
    "gate",
    [
        {"when": "{{ trigger.body.hello == 'world' }}"},
        {"conditions": [
            {"type": EXPRESSION, "expression": "{{ trigger.body.hello == 'world' }}"}
        ]},
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("body", "status", "told"),
    [(b'{"hello": "world"}', 200, ""), (b'{"hello": "you"}', 204, ""), (b"{}", 204, "`hello`")],
)
def test_conditions(gate: dict[str, Any], body: bytes, status: int, told: str) -> None:
    answer = receive([hook("k", **gate)], "k", request("POST", body=body), context())
    assert (answer.status, answer.firing is not None) == (status, status == 200)
    assert told in str(answer.error or "")


def test_how_to_answer_stands_in_the_properties() -> None:
    trigger = hook("k", wait=True, returnOutputs=True, responseContentType="text/plain")
    found = receive([trigger], "k", GET, context()).webhook
    assert found is not None
    assert (found.wait, found.return_outputs, found.response_content_type) == (
        True, True, "text/plain"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({}, "Field required"),
        ({"key": ""}, "at least 1"),
        ({"key": "k" * 257}, "at most 256"),
        ({"key": "k", "keys": "x"}, "unknown property `keys`; did you mean `key`?"),
        (
            {
                "key": "k",
                "conditions": [
                    {
                        "type": "io.kestra.plugin.core.condition.MultipleCondition",
                        "id": "m",
                        "conditions": {"a": {"type": EXPRESSION, "expression": "x"}},
                    }
                ],
            },
            "invalid webhook: conditions of type MultipleCondition are not supported",
        ),
    ],
)
def test_what_is_no_webhook(properties: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Webhook.model_validate(properties, context={})
    assert words in str(refused.value)


@given(
    st.binary(max_size=200), st.sampled_from([None, "text/plain; charset=", "a; charset=utf-16"])
)
def test_any_body_becomes_something_that_json_can_hold(body: bytes, kind: str | None) -> None:
    found = request_variables(request("POST", body=body, content_type=kind))["body"]
    assert found is None or isinstance(found, str | dict | list)
