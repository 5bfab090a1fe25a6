"""The function `http()` of expressions, which asks a server while the rendering waits."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from datetime import timedelta
from io import BytesIO
from time import monotonic
from typing import Any
from urllib.parse import urlencode

from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.contract.texts import json_text
from penstock.tasks.core.http_body import plain_text
from penstock.tasks.core.http_client import Answer, Connect, HttpRequest, send
from penstock.tasks.core.http_options import HttpOptions
from penstock.tasks.core.http_tasks import parameter, text_of

SECONDS = 10.0
_MAX_BYTES = 4 * 1024 * 1024
_MAX_VALUES = 200_000
"""Values in an answer of JSON: an empty list is two bytes of text, and 64 in memory."""
_CHUNK_BYTES = 65_536
_TIME = timedelta(seconds=SECONDS)
_OPTIONS = HttpOptions(connect_timeout=_TIME, read_timeout=_TIME)


# The names of the arguments are those that a template may write.
def http(
    uri: str,
    method: str = "GET",
    query: Mapping[str, Any] | None = None,
    body: Any = None,
    contentType: str = "application/json",
    headers: Mapping[str, Any] | None = None,
    *,
    connect: Connect = socket.create_connection,
) -> Any:
    """The response of a server: JSON as the value that it stands for, everything else as text.

    Raises :class:`TaskFailure`, also where the whole takes longer than 10 seconds.
    """
    until = monotonic() + SECONDS
    if query:
        given = {name: parameter(value) for name, value in query.items()}
        uri = f"{uri}{'&' if '?' in uri else '?'}{urlencode(given, doseq=True)}"
    sent = {name: plain_text(value) for name, value in (headers or {}).items()}
    content = None if body is None else _sent(body).encode()
    if content is not None:
        sent.setdefault("Content-Type", contentType)
    stream = None if content is None else BytesIO(content)
    request = HttpRequest(str(method).upper(), uri, sent, stream, len(content or b""))
    with send(request, _OPTIONS, connect) as answer:
        received = _received(answer, uri, until)
    if answer.code >= 400:
        raise TaskFailure(f"{request.method} {uri} failed with the code {answer.code}")
    text = text_of(answer, received, "UTF-8")
    if "json" not in (answer.header("Content-Type") or "").lower():
        return text
    if sum(map(text.count, ",[{")) > _MAX_VALUES:
        raise TaskFailure(
            f"http(): the response of {uri} has more than {_MAX_VALUES} values; let a task ask"
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise TaskFailure(f"http(): the response of {uri} is not JSON") from None


def _sent(body: Any) -> str:
    """The body of a request as text; a map or a list as its JSON."""
    return json_text(body) if isinstance(body, dict | list) else str(body)


def _received(answer: Answer, uri: str, until: float) -> bytes:
    received = bytearray()
    while chunk := answer.stream.read1(_CHUNK_BYTES):
        received += chunk
        if len(received) > _MAX_BYTES:
            raise TaskFailure(f"http(): the response of {uri} is larger than 4 MiB")
        if monotonic() > until:
            raise TaskFailure(f"http(): {uri} did not answer within {SECONDS:.0f} s")
    return bytes(received)
