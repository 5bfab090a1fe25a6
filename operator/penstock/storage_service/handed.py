"""Tells which files of further executions were handed to that of a grant, from their statuses."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable

from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.kubernetes.status.execution_records import ExecutionRecords
from penstock.storage.access import why_not_handed
from penstock.storage.errors import StorageError, StorageUnavailable
from penstock.storage.grants import Grant
from penstock.storage.uris import Refused, executions_in, may_read, parse

REMEMBERED = 5.0
"""Seconds for which a file that was handed to an execution is not looked at again."""
_MOST = 10_000


class HandedFiles:
    """Asks the rule of :mod:`penstock.storage.access`, with the Executions that it needs for it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._handed: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        """Until when it counts that a file was handed to an execution, by tenant, uid and path."""

    async def refused(self, grant: Grant, uris: Iterable[str]) -> Refused:
        """Check all URIs of a request, and give the function that tells why a file was not handed.
        URIs of files to which the grant itself gives a right, and texts that are no URI, cost
        nothing.

        Raises :class:`StorageUnavailable` where the API server does not answer.
        """
        looking = _Looking(self._api, grant)
        answers: dict[str, str | None] = {}
        for path in dict.fromkeys(_of_others(grant, uris)):
            key = (grant.tenant, grant.owner, path)
            if self._handed.get(key, 0.0) < time.monotonic():
                answers[path] = await looking.why_not_handed(path)
            else:
                answers[path] = None
            if answers[path] is None:
                self._remember(key)
        return lambda path: answers.get(path, "")

    def _remember(self, key: tuple[str, str, str]) -> None:
        self._handed.setdefault(key, 0.0)
        if self._handed[key] < (now := time.monotonic()):
            self._handed[key] = now + REMEMBERED
            self._handed.move_to_end(key)
        if len(self._handed) > _MOST:
            self._handed.popitem(last=False)


class _Looking:
    """The Executions that one request needs, each asked for once."""

    def __init__(self, api: Api, grant: Grant) -> None:
        self._api = api
        self._grant = grant
        self._seen: dict[str, Object | None] = {}

    async def why_not_handed(self, path: str) -> str | None:
        """Why a file was not handed to the grant's execution; None where it was."""
        records = ExecutionRecords(self._known)
        while True:
            try:
                own = self._known(self._grant.place.execution)
                if own is None or own["metadata"]["uid"] != self._grant.owner:
                    return "the execution of the grant is gone"
                return why_not_handed(path, records.of(own), records.get)
            except _NotSeen as missing:
                self._seen[missing.name] = await self._get(missing.name)

    def _known(self, name: str) -> Object | None:
        if name not in self._seen:
            raise _NotSeen(name)
        return self._seen[name]

    async def _get(self, name: str) -> Object | None:
        try:
            return await self._api.get(EXECUTIONS, self._grant.tenant, name)
        except ApiError as error:
            if error.transient:
                message = f"the execution `{name}` can't be looked up: {error}"
                raise StorageUnavailable(message) from error
            return None  # there is none, or no execution can have this name


class _NotSeen(Exception):
    """The rule needs an execution that was not looked up yet."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _of_others(grant: Grant, uris: Iterable[str]) -> Iterable[str]:
    """The paths of files that are of other executions than those that the grant names."""
    for uri in uris:
        try:
            path = parse(uri, grant.place.namespace)
        except StorageError:
            continue
        if executions_in(path) and not may_read(path, grant.place, grant.parents):
            yield path
