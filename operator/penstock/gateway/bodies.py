"""The bodies of calls, bounded in size and time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

MOST_BYTES = 512 * 1024
"""Bytes of a body, which becomes a part of the Execution: an object of the API server may have a
mebibyte and a half, and a text may take more than its own length there."""
BODY_WITHIN = 15.0
"""Seconds within which the whole of a body comes."""


async def read_body(request: web.Request) -> bytes:
    """Read the whole body. Raises what aiohttp answers where it is too large or slow."""
    if (request.content_length or 0) > MOST_BYTES:
        raise _too_large(request.content_length or 0)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN):
            while piece := await request.content.readany():
                size += len(piece)
                if size > MOST_BYTES:
                    raise _too_large(size)
                pieces.append(piece)
    except TimeoutError:
        told = f"the body did not come within {BODY_WITHIN:.0f} s"
        raise web.HTTPRequestTimeout(reason=told) from None
    return b"".join(pieces)


def _too_large(size: int) -> web.HTTPException:
    told = f"the body is larger than {MOST_BYTES // 1024} KiB"
    return web.HTTPRequestEntityTooLarge(MOST_BYTES, size, reason=told)


async def read_json_body(request: web.Request, count: Callable[[int], None]) -> dict[str, Any]:
    """Read a body that is a map in JSON; its size is counted. Raises what aiohttp answers where it
    is none."""
    body = await read_body(request)
    count(len(body))
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(reason="the body is not JSON") from None
    if not isinstance(value, dict):
        raise web.HTTPBadRequest(reason="the body is not a map")
    return value
