"""The check of who may read the archived logs of an Execution: whoever shows its token."""

from __future__ import annotations

import time

from aiohttp import web

from penstock.storage.logtokens import HEADER, LogToken
from penstock.storage.uris import ExecutionPlace


class LogDoor:
    """Lets in requests that carry the token of an Execution.

    Nobody is asked whether that is still there: its logs are deleted with it, and those of another
    one of its name lie in a folder that this token does not open.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def owner(self, request: web.Request, tenant: str, place: ExecutionPlace) -> str:
        """The uid of the Execution whose logs a request's token opens. Raises
        :class:`AccessDenied` where it opens none of this place, or has ended.
        """
        token = LogToken.verified(self._key, tenant, place, request.headers.get(HEADER, ""))
        token.check_time(time.time())
        return token.owner
