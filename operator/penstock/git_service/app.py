"""The routes of the Git service."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from penstock.git.cache import snapshot
from penstock.git.disk import CacheDisk
from penstock.git.model import Deadline, Terms
from penstock.git.remote import resolve
from penstock.git.wire import RESOLVE, SNAPSHOT, Resolved, resolve_requests, snapshot_requests
from penstock.git_service.answers import Tell, answering, told_by_thread
from penstock.git_service.door import Door, is_admitted
from penstock.network import RefusedNetworks
from penstock.turns import Turns

LOOKS, LOOKS_PER_TENANT = 16, 2
"""Calls of ``ls-remote`` at once: they take little but time."""
FETCHES, FETCHES_PER_TENANT = 6, 1
"""Snapshots at once: each may take memory, disk, and what its server sends."""
_MOST_ASKED = 4 * 1024 * 1024
"""Bytes of a request: what the caller knows already is in it."""
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,127}", re.ASCII)

logger = logging.getLogger(__name__)
T = TypeVar("T")


class GitService:
    """Answers the controller's calls."""

    def __init__(self, door: Door, disk: CacheDisk, refused: RefusedNetworks) -> None:
        self._door = door
        self._disk = disk
        self._refused = refused
        self._looks = Turns(LOOKS, LOOKS_PER_TENANT)
        self._fetches = Turns(FETCHES, FETCHES_PER_TENANT)
        self._threads = ThreadPoolExecutor(LOOKS + FETCHES, thread_name_prefix="git")

    def app(self) -> web.Application:
        """Everything that is served."""
        app = web.Application(client_max_size=_MOST_ASKED)
        app.router.add_get("/healthz", _healthz)
        app.router.add_post(RESOLVE, self.resolve)
        app.router.add_post(SNAPSHOT, self.snapshot)
        return app

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/resolve`: the commit that a reference names."""
        asked = await self._asked(request, resolve_requests)
        async with answering(request) as answer, self._looks.turn(asked.tenant) as turn:
            terms = self._terms(asked.remote.timeout, asked.own)

            def work(tell: Tell) -> None:
                tell(Resolved(resolve(asked.remote, terms)))

            await told_by_thread(answer, turn, terms.deadline, self._threads, work)
        return answer.response

    async def snapshot(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/snapshot`: the files of a commit."""
        asked = await self._asked(request, snapshot_requests)
        if _SOURCE.fullmatch(asked.source) is None:
            raise web.HTTPBadRequest(text="`source` is not the name of a cache")
        async with answering(request) as answer, self._fetches.turn(asked.tenant) as turn:
            terms = self._terms(asked.remote.timeout, asked.own)

            def work(tell: Tell) -> None:
                with self._disk.used(asked.source) as cache:
                    told = snapshot(asked.remote, asked.wanted, cache.path, terms, cache.make_room)
                    for record in told:
                        tell(record)

            await told_by_thread(answer, turn, terms.deadline, self._threads, work)
        return answer.response

    def _terms(self, seconds: float, own: Iterable[str]) -> Terms:
        """The terms of a call that begins now."""
        return Terms(Deadline(seconds), self._refused.beside(own))

    async def _asked(self, request: web.Request, kind: TypeAdapter[T]) -> T:
        """What a request says, of somebody who may ask."""
        shown = request.headers.get("Authorization", "")
        admitted = await is_admitted(self._door, shown, request.remote or "")
        if admitted is None:
            raise web.HTTPServiceUnavailable(text="the API server does not say whose the token is")
        if not admitted:
            logger.info("refused a call from %s", request.remote)
            raise web.HTTPUnauthorized(text="this service answers Penstock's controller alone")
        try:
            return kind.validate_json(await request.read())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise web.HTTPBadRequest(text=f"{place}: {first['msg']}") from None


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok")
