"""Signatures of webhooks, as GitHub, GitLab, Stripe and Slack make them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from penstock.flow.document import Trigger
from penstock.triggers.webhook import WEBHOOK, Answer, Webhook, receive
from penstock.triggers.webhook_request import Request
from tests.unit.triggers.context import at, context

NOW = at("2026-05-01T12:00")
BODY = b'{"id": "evt_1", "event_id": "Ev1", "n": 1}'
SECRET = "what only two know"

Headers = dict[str, list[str]]


def digest(signed: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def stamp(age: float = 0.0) -> str:
    return str(int((NOW - timedelta(seconds=age)).timestamp()))


def github(body: bytes = BODY, secret: str = SECRET, age: float = 0.0) -> Headers:
    return {"X-Hub-Signature-256": [f"sha256={digest(body, secret)}"]}


def gitlab(body: bytes = BODY, secret: str = SECRET, age: float = 0.0) -> Headers:
    return {"X-Gitlab-Token": [secret]}


def stripe(body: bytes = BODY, secret: str = SECRET, age: float = 0.0) -> Headers:
    time = stamp(age)
    old, new = digest(b"x"), digest(f"{time}.".encode() + body, secret)
    return {"Stripe-Signature": [f"t={time}, v1={old}, v1={new}, v0=1"]}


def slack(body: bytes = BODY, secret: str = SECRET, age: float = 0.0) -> Headers:
    time = stamp(age)
    signed = f"v0:{time}:".encode() + body
    return {
        "X-Slack-Request-Timestamp": [time],
        "X-Slack-Signature": [f"v0={digest(signed, secret)}"],
    }


SIGNERS: dict[str, Callable[..., Headers]] = {
    "GITHUB": github, "GITLAB": gitlab, "STRIPE": stripe, "SLACK": slack,
}  # fmt: skip


def called(scheme: str, headers: Headers, body: bytes = BODY, **more: Any) -> Answer:
    """What a call does to a webhook that asks for such a signature."""
    signature = {"scheme": scheme, "secret": SECRET, **more}
    trigger = Trigger(id="hook", type=WEBHOOK, properties={"key": "k", "signature": signature})
    return receive([trigger], "k", Request("POST", "r", NOW, headers, {}, body), context())


@pytest.mark.parametrize("scheme", SIGNERS)
def test_what_is_signed_starts_an_execution(scheme: str) -> None:
    assert called(scheme, SIGNERS[scheme]()).status == 200
    # whatever the case of the header's name
    lower = {name.lower(): values for name, values in SIGNERS[scheme]().items()}
    assert called(scheme, lower).status == 200


@pytest.mark.parametrize("scheme", SIGNERS)
def test_what_is_not_signed_or_with_another_secret_starts_nothing(scheme: str) -> None:
    assert called(scheme, {}).status == 401
    other = called(scheme, SIGNERS[scheme](secret="another"))
    assert (other.status, other.firing) == (401, None)
    assert SECRET not in str(other.error)


@pytest.mark.parametrize("scheme", ["GITHUB", "STRIPE", "SLACK"])
def test_another_body_than_the_one_that_was_signed_starts_nothing(scheme: str) -> None:
    assert called(scheme, SIGNERS[scheme](b"other")).status == 401


@pytest.mark.parametrize("scheme", ["STRIPE", "SLACK"])
def test_what_was_signed_long_ago_starts_nothing(scheme: str) -> None:
    signer = SIGNERS[scheme]
    assert called(scheme, signer(age=290)).status == 200
    for age in (310, -310):
        old = called(scheme, signer(age=age))
        assert (old.status, "of another time" in str(old.error)) == (401, True)
    assert called(scheme, signer(age=310), tolerance="PT10M").status == 200


@pytest.mark.parametrize(
    "given",
    ["", "t=", "v1=", "t=now,v1=x", "t=99999999999999999999,v1=x", ",,,", "schlüssel", "t=1,v1=é"],
)
def test_nonsense_is_no_signature(given: str) -> None:
    for header in ("Stripe-Signature", "X-Slack-Signature", "X-Hub-Signature-256"):
        headers = {header: [given], "X-Slack-Request-Timestamp": [given]}
        for scheme in ("STRIPE", "SLACK", "GITHUB"):
            assert called(scheme, headers).status == 401


def test_a_time_that_is_not_one_but_signed_starts_nothing() -> None:
    signed = digest(b"v0:soon:" + BODY)
    headers = {"X-Slack-Request-Timestamp": ["soon"], "X-Slack-Signature": [f"v0={signed}"]}
    assert called("SLACK", headers).status == 401


def test_a_secret_that_can_t_be_rendered_signs_nothing() -> None:
    empty = {"X-Hub-Signature-256": [f"sha256={digest(BODY, '')}"]}
    assert called("GITHUB", empty, secret="{{ vars.missing }}").status == 401
    assert called("GITLAB", {"X-Gitlab-Token": [""]}, secret="{{ vars.missing }}").status == 401


def test_the_secret_may_be_an_expression() -> None:
    named = github(secret="listener-secret")
    assert called("GITHUB", named, secret="{{ flow.id }}-secret").status == 200


@pytest.mark.parametrize(
    ("scheme", "key"), [("STRIPE", "body/evt_1"), ("SLACK", "body/Ev1"), ("GITHUB", "r")]
)
def test_stripe_and_slack_tell_in_the_body_which_delivery_it_is(scheme: str, key: str) -> None:
    firing = called(scheme, SIGNERS[scheme]()).firing
    assert firing is not None
    assert firing.key == key


def test_the_token_of_gitlab_is_kept_nowhere() -> None:
    firing = called("GITLAB", gitlab()).firing
    assert firing is not None
    assert SECRET not in str(firing)


def test_slack_gets_its_challenge_back() -> None:
    # given
    body = b'{"type": "url_verification", "challenge": "3eZbrw1a"}'
    # then
    answer = called("SLACK", slack(body), body)
    assert (answer.status, answer.text, answer.firing) == (200, "3eZbrw1a", None)
    # and nobody else, nor unsigned
    assert called("GITHUB", github(body), body).text is None
    assert called("SLACK", slack(b"other"), body).status == 401


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ({"scheme": "PGP", "secret": "x"}, "'GITHUB', 'GITLAB', 'STRIPE' or 'SLACK'"),
        ({"scheme": "GITHUB"}, "Field required"),
        ({"scheme": "GITHUB", "secret": ""}, "at least 1"),
    ],
)
def test_what_is_no_signature_property(signature: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Webhook.model_validate({"key": "k", "signature": signature}, context={})
    assert words in str(refused.value)
