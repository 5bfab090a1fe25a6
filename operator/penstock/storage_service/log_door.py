"""The check of who may read the archived logs of an Execution: whoever shows its token."""

from __future__ import annotations

import time

from aiohttp import web
from cachetools import TTLCache

from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError
from penstock.storage.errors import AccessDenied, StorageUnavailable
from penstock.storage.logtokens import HEADER, LogToken
from penstock.storage.uris import ExecutionPlace

REMEMBERED = 5.0
"""Seconds for which an Execution that was there is not looked at again."""
_MOST = 10_000


class LogDoor:
    """Lets in requests that carry the token of an Execution that is still there."""

    def __init__(self, key: bytes, api: Api) -> None:
        self._key = key
        self._api = api
        self._there: TTLCache[tuple[str, str], None] = TTLCache(_MOST, REMEMBERED)
        """Namespaces, and the uids of Executions that are there."""

    async def check(self, request: web.Request, tenant: str, place: ExecutionPlace) -> None:
        """Refuse a request without the token of this Execution's logs. Raises
        :class:`AccessDenied`; nothing is looked up for who shows no token of ours.
        """
        token = LogToken.verified(self._key, tenant, place, request.headers.get(HEADER, ""))
        token.check_time(time.time())
        if (tenant, token.owner) in self._there:
            return
        if await self._owner(tenant, place.execution) != token.owner:
            raise AccessDenied("the execution of this token is gone")
        self._there[tenant, token.owner] = None

    async def _owner(self, tenant: str, name: str) -> str | None:
        """The uid of the Execution that a namespace has under a name; None where it has none."""
        try:
            return str((await self._api.get(EXECUTIONS, tenant, name))["metadata"]["uid"])
        except ApiError as error:
            if error.not_found:
                return None
            raise StorageUnavailable(f"the execution can't be looked up: {error}") from error
