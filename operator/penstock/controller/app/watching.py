"""The connection over which kopf lists and watches: its lists have one object, and what it reads is
cut where it is too deep.

kopf lists only to know from which moment on it watches: informers list too, in pages of bounded
size, and once more as soon as kopf has. So its lists end after the first page, of one object.

kopf parses answers with the standard library, which gives up at an object that is nested a thousand
levels deep, and the whole controller ends with its watch. So kopf is given a session of ours: the
answers of a list are read by `json_reader`, and the lines of a watch are made shallow before kopf
reads them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import kopf

from penstock.kubernetes.api.json_reader import (
    LEVELS_OF_EVENT,
    LEVELS_OF_LIST,
    OBJECT_LEVELS,
    read_json,
    shallow_text,
)
from penstock.kubernetes.api.large_values import is_large

_NEVER_TOO_DEEP = OBJECT_LEVELS + LEVELS_OF_EVENT


def session_of(info: kopf.ConnectionInfo) -> kopf.AiohttpSession:
    """Open the session in which kopf works, with the credentials that kopf has found."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
        headers=info.as_http_headers(),
        proxy=info.proxy_url,
        trust_env=info.trust_env,
        response_class=_Response,
    )
    return kopf.AiohttpSession(
        server=info.server,
        priority=info.priority,
        default_namespace=info.default_namespace,
        expiration=info.expiration,
        aiohttp_session=session,
    )


class _Response(aiohttp.ClientResponse):
    """An answer of the API server."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        await super().start(connection)
        self.content = _ShallowLines(self.content)  # type: ignore[assignment]
        return self

    async def json(self, **_: Any) -> Any:
        answer = read_json(await self.read(), LEVELS_OF_LIST)
        return _ended(answer) if isinstance(answer, dict) else answer


def _ended(answer: dict[str, Any]) -> dict[str, Any]:
    """Give a page of a list as if it were the last one."""
    meta = answer.get("metadata") or {}
    ended = {name: value for name, value in meta.items() if name != "continue"}
    return {**answer, "metadata": ended} if "continue" in meta else answer


class _ShallowLines:
    """A stream of which each line can be parsed, where it is read piece by piece."""

    def __init__(self, stream: aiohttp.StreamReader) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Give the stream line by line, whatever the size."""
        parts: list[bytes] = []
        async for piece in self._stream.iter_chunked(size):
            *ended, rest = piece.split(b"\n")
            for end in ended:
                yield shallow_line(b"".join((*parts, end))) + b"\n"
                parts.clear()
            parts.append(rest)
        if any(parts):
            yield shallow_line(b"".join(parts))


def shallow_line(line: bytes) -> bytes:
    """Cut what is too deep or too large in an event of a watch; most lines are given back as they
    are."""
    if not is_large(line) and line.count(b"[") + line.count(b"{") <= _NEVER_TOO_DEEP:
        return line
    return shallow_text(line, LEVELS_OF_EVENT)
