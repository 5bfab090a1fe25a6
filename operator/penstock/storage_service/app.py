"""The routes of the storage service."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from aiohttp import web
from pydantic import ValidationError

from penstock.storage.arrivals import ROUTE
from penstock.storage.errors import StorageError
from penstock.storage.grants import LONGEST_TOKEN
from penstock.storage_service.answers import errors_as_json
from penstock.storage_service.door import Door
from penstock.storage_service.exchange import Exchange, Operations
from penstock.storage_service.objects import BLOCK, Objects
from penstock.storage_service.shares import Shares, is_connected, whole_body
from penstock.storage_service.urls import OBJECTS

IDLE = 30.0
"""Seconds without a request after which a connection is closed."""
_MOST_ASKED = 1024 * 1024
"""The most bytes of one request for an exchange."""
AT_ONCE, AT_ONCE_PER_TENANT = 32, 8
"""The most exchanges at once."""
LONG_AT_ONCE, LONG_AT_ONCE_PER_TENANT = 8, 2
"""The most exchanges at once that go through folders: their answers may be large."""


def storage_app(door: Door, exchange: Exchange, objects: Objects) -> web.Application:
    """Everything that is served. Further routes are registered beside these."""
    app = web.Application(middlewares=[errors_as_json], client_max_size=_MOST_ASKED)
    app.router.add_get("/healthz", _healthz)
    register_exchange(app, door, exchange)
    register_objects(app, objects)
    return app


def runner_of(app: web.Application) -> web.AppRunner:
    """What serves an application: with headers as long as a grant may be, and without a log of
    requests."""
    return web.AppRunner(
        app,
        access_log=None,
        read_bufsize=BLOCK,
        keepalive_timeout=IDLE,
        shutdown_timeout=20,
        max_field_size=LONGEST_TOKEN,
    )


def register_exchange(app: web.Application, door: Door, exchange: Exchange) -> None:
    """`POST /v1/files`: a grant and operations for URLs and answers."""
    shares = Shares("requests for files are answered", AT_ONCE, AT_ONCE_PER_TENANT)
    long_shares = Shares("folders are listed", LONG_AT_ONCE, LONG_AT_ONCE_PER_TENANT)

    async def files(request: web.Request) -> web.Response:
        grant = await door.admitted(request)
        async with shares.place(request, grant.tenant):
            asked = _read(await whole_body(request))
            async with AsyncExitStack() as held:
                if asked.is_long:
                    await held.enter_async_context(long_shares.place(request, grant.tenant))
                wanted = partial(is_connected, request)
                body = await asyncio.to_thread(exchange.answer, grant, asked, wanted)
            return web.Response(body=body, content_type="application/json")

    app.router.add_post("/v1/files", files)


def register_objects(app: web.Application, objects: Objects) -> None:
    """`GET` and `PUT` of single files under signed URLs."""
    place = OBJECTS + "/{tenant}/{path:.+}"
    app.router.add_get(place, objects.get, allow_head=False)
    app.router.add_put(place, objects.put)
    app.router.add_put(ROUTE + "/{tenant}/{path:.+}", objects.put_arrival)


def _read(body: bytes) -> Operations:
    try:
        return Operations.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise StorageError(f"the request is not right: {place}: {first['msg']}") from None


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok")
