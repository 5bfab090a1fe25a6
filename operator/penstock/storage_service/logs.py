"""Serves archived logs to people who may read the Execution, and to tasks that have the right.

    GET  /v1/logs/TENANT/NAMESPACE/FLOW/EXECUTION           the entries, for the status's token
    GET  /v1/logs/TENANT/NAMESPACE/FLOW/EXECUTION/attempts  which attempts have a log, likewise
    POST /v1/logs                                           the entries, for a task's grant

Entries are lines of JSON: see :func:`penstock.kubernetes.logs.lines.entry`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from penstock.kubernetes.logs.archive import Key, LogArchive
from penstock.storage.errors import StorageError
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace
from penstock.storage_service.door import Door
from penstock.storage_service.log_door import LogDoor
from penstock.storage_service.shares import Shares, send, whole_body
from penstock.tasks.contract.services import at_least

_AT_ONCE = 500
"""The number of entries that are sent together."""
_READERS, _READERS_PER_TENANT = 8, 3
"""The most logs that are read at once; further requests wait."""
_WAITS = 50.0
"""Seconds for which they do: people and tasks do not ask again by themselves."""

Entry = dict[str, Any]


class AskedLogs(BaseModel):
    """The logs that a task asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    namespace: str
    """The flow's namespace."""
    flow: str
    execution: str
    tasks: list[str] = []
    """The ids of the tasks; all where none is named."""
    level: str = "TRACE"
    """The lowest level that is wanted."""


class Logs:
    """Answers requests for archived logs."""

    def __init__(self, storage: Storage, door: Door, log_door: LogDoor) -> None:
        """``door`` knows the grants of tasks, ``log_door`` the tokens of Executions."""
        self._storage = storage
        self._door = door
        self._log_door = log_door
        self._readers = Shares("logs are read", _READERS, _READERS_PER_TENANT, waits=_WAITS)

    def register(self, app: web.Application) -> None:
        place = "/v1/logs/{tenant}/{namespace}/{flow}/{execution}"
        app.router.add_get(place, self.read, allow_head=False)
        app.router.add_get(place + "/attempts", self.attempts, allow_head=False)
        app.router.add_post("/v1/logs", self.fetch)

    async def attempts(self, request: web.Request) -> web.Response:
        """Answer which attempts have an archived log, and whether it is whole, or how far it
        goes."""
        archive = self._shown(request)
        async with self._readers.place(request, request.match_info["tenant"]):
            return web.json_response(await asyncio.to_thread(_told, archive))

    async def read(self, request: web.Request) -> web.StreamResponse:
        """Answer with the entries of an execution, or of one attempt."""
        archive, query = self._shown(request), request.query
        run, attempt = query.get("taskRunId"), query.get("attempt")

        def is_wanted(key: Key) -> bool:
            return run in (None, key[0]) and attempt in (None, str(key[1]))

        tenant = request.match_info["tenant"]
        return await self._send(request, tenant, archive, is_wanted, lambda entry: True)

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """Answer a task that shows its grant with logs of executions of its own tenant."""
        grant = await self._door.admitted(request, "logs")
        async with self._readers.place(request, grant.tenant):
            body = await whole_body(request)
        try:
            asked = AskedLogs.model_validate_json(body)
        except ValidationError as error:
            raise StorageError(f"the request is not right: {error.errors()[0]['msg']}") from None
        place = ExecutionPlace(asked.namespace, asked.flow, asked.execution)
        archive = LogArchive(self._storage.of(grant.tenant), place)

        def is_wanted(entry: Entry) -> bool:
            is_of_task = not asked.tasks or entry["taskId"] in asked.tasks
            return is_of_task and at_least(entry["level"], asked.level)

        return await self._send(request, grant.tenant, archive, lambda key: True, is_wanted)

    def _shown(self, request: web.Request) -> LogArchive:
        """The log archive that a request's token opens. Raises :class:`AccessDenied`."""
        named = request.match_info
        tenant = named["tenant"]
        place = ExecutionPlace(named["namespace"], named["flow"], named["execution"])
        owner = self._log_door.owner(request, tenant, place)
        return LogArchive(self._storage.of(tenant), place, owner)

    async def _send(
        self,
        request: web.Request,
        tenant: str,
        archive: LogArchive,
        is_log_wanted: Callable[[Key], bool],
        is_wanted: Callable[[Entry], bool],
    ) -> web.StreamResponse:
        async with self._readers.place(request, tenant):
            entries = await asyncio.to_thread(archive.entries, is_log_wanted)
            blocks = _blocks(entry for entry in entries if is_wanted(entry))
            response = web.StreamResponse()
            response.content_type = "application/x-ndjson"
            block = await asyncio.to_thread(next, blocks, b"")
            await response.prepare(request)
            while block:
                await send(response, block)
                block = await asyncio.to_thread(next, blocks, b"")
            await response.write_eof()
            return response


def _told(archive: LogArchive) -> list[dict[str, Any]]:
    found = []
    for key, ended in archive.attempts().items():
        _, part = (0, None) if ended else archive.parts(key)
        if ended or part is not None:
            told: dict[str, Any] = {"taskRunId": key[0], "attempt": key[1], "ended": ended}
            found.append(told if part is None else told | {"last": part.last, "size": part.size})
    return found


def _blocks(entries: Iterator[Entry]) -> Iterator[bytes]:
    while some := list(islice(entries, _AT_ONCE)):
        yield "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in some).encode(
            "utf-8", "replace"
        )
