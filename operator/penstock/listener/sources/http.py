"""The driver of http.Trigger: asks a server, and fires where its answer is as the flow wants it.

It remembers nothing: as in Kestra, it fires at each question whose answer satisfies
`responseCondition`. The key of an event is the interval in which it was asked, so that a listener
that starts anew within it starts nothing twice.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.expressions import Allowance, ExpressionError, Expressions, Host, is_truthy, spending
from penstock.listener.source import Event, Polled, SourceError, Surroundings
from penstock.listener.sources.addresses import refused_networks
from penstock.network import AddressRefused, connect
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core.http_client import Answer
from penstock.tasks.core.http_tasks import Request, text_of
from penstock.tasks.registry.properties import read
from penstock.triggers.polling import HttpTrigger

_MOST_BYTES = 256 * 1024
"""Bytes of an answer, which becomes a part of the Execution."""
_OF_REQUEST = (
    "uri",
    "method",
    "body",
    "form_data",
    "content_type",
    "headers",
    "params",
    "options",
    "ssl_options",
)
_language = Expressions()


@dataclass(frozen=True)
class _Answered:
    """An answer that was found: there is nothing to acknowledge."""

    events: Sequence[Event] = field(default=())

    async def acknowledge(self) -> None: ...

    async def give_back(self) -> None: ...


async def poll(properties: HttpTrigger, cursor: Any, surroundings: Surroundings) -> Polled:
    """Ask the server once."""
    interval = max(properties.interval.total_seconds(), 1.0)
    turn = int(time.time() // interval)
    found = await asyncio.to_thread(_ask, properties)
    if not _is_wanted(properties.response_condition, found):
        return Polled(())
    variables = {
        "uri": found["uri"],
        "code": found["statusCode"],
        "headers": found["headers"],
        "body": found["body"],
    }
    return Polled((_Answered((Event(f"{interval:g}-{turn}", variables),)),))


def _ask(properties: HttpTrigger) -> Mapping[str, Any]:
    """Ask, and give what `response.…` is. Raises :class:`SourceError`."""
    if properties.encrypt_body:
        raise SourceError("`encryptBody`: encryption is not served yet")
    refused = refused_networks()

    def connected(
        address: tuple[str, int], timeout: Any = None, source_address: Any = None
    ) -> socket.socket:
        return connect(refused.resolve(*address), timeout, source_address)

    written = properties.model_dump(by_alias=True, exclude_none=True)
    names = {_camel(name) for name in _OF_REQUEST}
    try:
        request = read(Request, {key: value for key, value in written.items() if key in names})
        with request.asked_anyway(connected) as answer:
            content = answer.stream.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                raise SourceError(
                    f"{request.uri}: the answer is larger than {_MOST_BYTES // 1024} KiB, which an "
                    "Execution has no room for; let a task download it"
                )
            return _described(request, answer, content)
    except (TaskFailure, AddressRefused) as error:
        raise SourceError(str(error)) from None


def _described(request: Request, answer: Answer, content: bytes) -> Mapping[str, Any]:
    text = text_of(answer, content, request.options.default_charset)
    return {
        "uri": request.uri,
        "statusCode": answer.code,
        "headers": dict(answer.headers),
        "body": text,
    }


def _is_wanted(condition: str | bool, found: Mapping[str, Any]) -> bool:
    if isinstance(condition, bool):
        return condition
    allowance = Allowance(0.5, 4 * 1024 * 1024, "`responseCondition` takes too long", shared=True)
    try:
        with spending(allowance):
            return is_truthy(_language.evaluate(condition, {"response": found}, Host()))
    except ExpressionError as error:
        raise SourceError(f"`responseCondition` can't be told: {error}") from None


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
