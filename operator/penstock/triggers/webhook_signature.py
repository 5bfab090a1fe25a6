"""The signatures with which senders of webhooks prove themselves, beside the key in the address.

Pure: a request, a secret and the time in, what is wrong out. Everything that depends on the secret
is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from penstock.flow.model import Document, Duration
from penstock.triggers.webhook_request import Request

Scheme = Literal["GITHUB", "GITLAB", "STRIPE", "SLACK"]


class Signature(Document):
    """How the sender of a webhook signs what it sends. Kestra has no such property."""

    scheme: Scheme
    """GITHUB (`X-Hub-Signature-256`), GITLAB (`X-Gitlab-Token`), STRIPE (`Stripe-Signature`) or
    SLACK (`X-Slack-Signature`)."""
    secret: Annotated[str, Field(min_length=1, max_length=512)]
    """What the sender and the flow know; may be an expression."""
    tolerance: Duration = timedelta(minutes=5)
    """How old a request may be, and how far ahead its clock, with STRIPE and SLACK."""

    @property
    def delivery_field(self) -> str | None:
        """The field of the body that tells one delivery from all others."""
        return {"STRIPE": "id", "SLACK": "event_id"}.get(self.scheme)


MISSING = "the request has no signature in `{header}`"
WRONG = "the signature in `{header}` is not that of this request"
TOO_OLD = "the signature in `{header}` is of another time than now"


def wrong_with(signature: Signature, secret: str, request: Request) -> str | None:
    """What is wrong with the signature of a request, in words for its sender; None where nothing
    is. An empty secret signs nothing."""
    header, is_right = _SCHEMES[signature.scheme]
    given = request.header(header)
    if not given:
        return MISSING.format(header=header)
    if not secret or not is_right(given, secret.encode(), request):
        return WRONG.format(header=header)
    # Only then: what is not signed says nothing of the time.
    signed = _signed_at(signature.scheme, request)
    if signed is not None and abs(request.date - signed) > signature.tolerance:
        return TOO_OLD.format(header=header)
    return None


def challenge_of(signature: Signature, body: object) -> str | None:
    """The text that Slack wants back once, when somebody enters the address there."""
    if signature.scheme != "SLACK" or not isinstance(body, dict):
        return None
    challenge = body.get("challenge")
    is_asked = body.get("type") == "url_verification" and isinstance(challenge, str)
    return str(challenge) if is_asked else None


def _github(given: str, secret: bytes, request: Request) -> bool:
    return _same(given, "sha256=" + _digest(secret, request.body))


def _gitlab(given: str, secret: bytes, request: Request) -> bool:
    return _same(given, secret.decode())


def _stripe(given: str, secret: bytes, request: Request) -> bool:
    parts = list(_stripe_parts(given))
    wanted = _digest(secret, _stripe_time(parts).encode() + b"." + request.body)
    # While a secret is changed there are two; all are compared.
    return sum([_same(value, wanted) for name, value in parts if name == "v1"]) > 0


def _slack(given: str, secret: bytes, request: Request) -> bool:
    time = (request.header(_SLACK_TIME) or "").encode()
    return _same(given, "v0=" + _digest(secret, b"v0:" + time + b":" + request.body))


_SLACK_TIME = "X-Slack-Request-Timestamp"
_SCHEMES: Mapping[Scheme, tuple[str, Callable[[str, bytes, Request], bool]]] = {
    "GITHUB": ("X-Hub-Signature-256", _github),
    "GITLAB": ("X-Gitlab-Token", _gitlab),
    "STRIPE": ("Stripe-Signature", _stripe),
    "SLACK": ("X-Slack-Signature", _slack),
}


def _signed_at(scheme: Scheme, request: Request) -> datetime | None:
    """When a request was signed; None where the scheme does not say."""
    if scheme == "STRIPE":
        told = _stripe_time(_stripe_parts(request.header("Stripe-Signature") or ""))
    elif scheme == "SLACK":
        told = request.header(_SLACK_TIME) or ""
    else:
        return None
    try:
        return datetime.fromtimestamp(int(told), request.date.tzinfo)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, request.date.tzinfo)


def _stripe_parts(given: str) -> Iterator[tuple[str, str]]:
    for part in given.split(","):
        name, _, value = part.strip().partition("=")
        yield name, value


def _stripe_time(parts: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> str:
    return next((value for name, value in parts if name == "t"), "")


def _digest(secret: bytes, signed: bytes) -> str:
    return hmac.new(secret, signed, hashlib.sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    given_bytes, wanted_bytes = (text.encode("utf-8", "replace") for text in (given, wanted))
    return hmac.compare_digest(given_bytes, wanted_bytes)
