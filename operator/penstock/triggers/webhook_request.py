"""What comes over HTTP to a webhook, and what an execution sees of it as `trigger.…`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.flow.values import parse_json
from penstock.nesting import MAX_NESTING, is_deeper

_ROOM = 10
"""Levels that stand around a body in the Execution that it starts."""
_DELIVERY_HEADERS = ("idempotency-key", "x-github-delivery", "webhook-id")
"""Headers in which a sender tells one delivery from all others, whichever it sends: the draft of
the IETF (GitLab and many others), GitHub, and Standard Webhooks."""
_LONGEST_DELIVERY = 1024
_TEXTS = ("/json", "+json", "/xml", "+xml", "/yaml", "/javascript", "/x-www-form-urlencoded")
"""The ends of further types of content that are text."""
_KEPT_TO_ITSELF = frozenset({"authorization", "proxy-authorization", "cookie", "x-gitlab-token"})
"""Headers with credentials: conditions and inputs see them, and no Execution keeps them."""


@dataclass(frozen=True)
class Request:
    """What came over HTTP."""

    method: str
    id: str
    """Tells the request from every other one, for ever: whoever received it drew it."""
    date: datetime
    """When it came."""
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The parameters of the query."""
    body: bytes = b""
    content_type: str | None = None
    path: str = ""
    """What stands in the address behind the key."""
    file: str | None = None
    """The URI of the file that has the body, where that is no text."""

    @property
    def has_text(self) -> bool:
        """Whether the body is text: what is sent as such, and what can be read as such."""
        kind = (self.content_type or "").partition(";")[0].strip().lower()
        if kind.startswith("text/") or kind.endswith(_TEXTS):
            return True
        try:
            return "\0" not in self.body.decode(_charset(self.content_type))
        except (UnicodeError, LookupError):
            return False

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever the case of its name."""
        wanted = name.lower()
        for known, values in self.headers.items():
            if known.lower() == wanted and values:
                return values[0]
        return None


def request_variables(request: Request) -> dict[str, Any]:
    """`trigger.…`: the body as JSON where it is an object or an array, else as text, or as the URI
    of its file."""
    variables = {
        "body": _body(request),
        "headers": {name: list(values) for name, values in request.headers.items()},
        "parameters": {name: list(values) for name, values in request.parameters.items()},
    }
    return variables | ({"path": request.path} if request.path else {})


def kept_variables(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables as an Execution keeps them: more people read it than may know credentials."""
    headers = variables["headers"].items()
    kept = {name: values for name, values in headers if name.lower() not in _KEPT_TO_ITSELF}
    return {**variables, "headers": kept}


def delivery_of(request: Request, body: Any, body_field: str | None = None) -> str | None:
    """What the sender calls this delivery, and would call it again if it sent it again; None where
    it does not say. ``body_field`` is the field of the body in which some senders say it."""
    for name in _DELIVERY_HEADERS:
        told = request.header(name)
        if told and len(told) <= _LONGEST_DELIVERY:
            return f"{name}/{told}"
    named = body.get(body_field) if body_field and isinstance(body, dict) else None
    if not isinstance(named, str) or not named:
        return None
    return "body/" + named.encode("utf-8", "replace").decode()


def _body(request: Request) -> Any:
    if request.file is not None:
        return request.file
    if not request.body:
        return None
    text = _decoded(request.body, request.content_type)
    try:
        value = parse_json(text)
    except ValueError:
        return text
    is_kept = isinstance(value, dict | list) and not is_deeper(value, MAX_NESTING - _ROOM)
    return value if is_kept else text


def _decoded(body: bytes, content_type: str | None) -> str:
    try:
        return body.decode(_charset(content_type), errors="replace")
    except (UnicodeError, LookupError):  # some codecs replace nothing
        return body.decode("utf-8", errors="replace")


def _charset(content_type: str | None) -> str:
    _, _, charset = (content_type or "").lower().partition("charset=")
    return charset.partition(";")[0].strip(" \"'") or "utf-8"
