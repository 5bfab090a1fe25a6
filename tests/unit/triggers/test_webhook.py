"""Webhooks: which request starts an execution, and what it hands over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from penstock.flow.document import Trigger
from penstock.triggers.webhook import WEBHOOK, Request, Webhook, receive, request_variables
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
