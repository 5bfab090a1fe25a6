"""Writes into an Execution's status where its archived logs are read, and the token for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from penstock.controller.files.storage_access import PORT, StorageAccess, service_name
from penstock.controller.runtime.indexes import ObjectStore
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionStatus, LogsReference
from penstock.resources.stored import written_date
from penstock.storage.errors import AccessDenied, StorageUnavailable
from penstock.storage.logtokens import LogToken, end_of
from penstock.storage.uris import ExecutionPlace

RENEWED_AFTER = timedelta(days=1)
"""The age at which the token of an Execution that runs is replaced."""
PERIOD = 3600.0
"""Seconds from one look for tokens that end too early to the next."""
AT_ONCE = 20
"""The most Executions that are reconciled for their token alone within a second."""
_BREATH = 200
"""Executions whose token is looked at before other work has its turn."""
_LONGEST_DAYS = 36_500
"""A token is not good for longer, however long Executions are kept: dates have an end."""


class LogReferences:
    """Gives each Execution a token that is good for as long as ended Executions are kept."""

    def __init__(
        self,
        storage: StorageAccess,
        executions: ObjectStore,
        keep_days: float,
        look_at: Callable[[Object], None],
    ) -> None:
        """``look_at`` lets an Execution be reconciled, which renews what has to be."""
        self._storage = storage
        self._executions = executions
        self._kept = timedelta(days=min(keep_days, _LONGEST_DAYS))
        self._look_at = look_at

    async def run(self) -> None:
        """Let Executions be reconciled to which nothing else happens: those whose token ends, or
        that have none, as the storage service was not there yet when their status was written."""
        while True:
            await asyncio.sleep(PERIOD)
            known = self._known()
            if known is not None:
                await self._look(datetime.now(UTC), known[1])

    async def _look(self, now: datetime, service: str) -> None:
        for number, execution in enumerate(list(self._executions), 1):
            if self._is_due(execution, now, service):
                self._look_at(execution)
                await asyncio.sleep(1 / AT_ONCE)
            elif number % _BREATH == 0:  # others have their turn
                await asyncio.sleep(0)

    def renewed(self, execution: Object, status: ExecutionStatus, now: datetime) -> ExecutionStatus:
        """Write the reference into a status that has none, or one whose token ends before the
        Execution may be deleted for its age. Nothing is written until the storage service is there.
        """
        known = self._known()
        if status.flow is None or known is None:
            return status
        key, service = known
        meta, flow = execution["metadata"], status.flow
        place = ExecutionPlace(flow.namespace, flow.id, meta["name"])
        path = _path(service, meta["namespace"], place)
        needed = self._needed(status.end_date, now)
        if status.logs is not None and status.logs.path == path:
            token = _token(key, meta, place, status.logs.token)
            if token is not None and token.until >= needed.timestamp():
                return status
        until = int((needed + RENEWED_AFTER).timestamp())
        text = LogToken(meta["namespace"], place, meta["uid"], until).text(key)
        return status.model_copy(update={"logs": LogsReference(path=path, token=text)})

    def _known(self) -> tuple[bytes, str] | None:
        """The key, and the path by which the API server passes calls on to the storage service;
        None while that is not there."""
        namespace, service = service_name()
        if not namespace or not service:
            return None
        try:
            scheme = "https:" if self._storage.has_tls else ""
            port = f"{scheme}{service}:{PORT}"
            return self._storage.key, f"/api/v1/namespaces/{namespace}/services/{port}/proxy"
        except StorageUnavailable:
            return None

    def _needed(self, end: datetime | None, now: datetime) -> datetime:
        """How long the token of an Execution has to be good: for as long as that is kept."""
        return max(now, (end or now) + self._kept)

    def _is_due(self, execution: Object, now: datetime, service: str) -> bool:
        """Tell whether a token ends too early, by what it states: whoever renews it looks more
        closely. Or whether the logs were read by another way than the storage service's now."""
        status = execution.get("status") or {}
        if not status.get("flow"):
            return False
        logs = status.get("logs") or {}
        until = end_of(logs.get("token", ""))
        is_elsewhere = not logs.get("path", "").startswith(f"{service}/")
        end = written_date(status.get("endDate"))
        if end is None and "endDate" in status:  # no time that the controller has written
            return False
        try:
            return until < self._needed(end, now).timestamp() or is_elsewhere
        except OverflowError:
            return False


def _path(service: str, tenant: str, place: ExecutionPlace) -> str:
    """A path of the API server, since people may have no other way into the cluster."""
    names = (tenant, place.namespace, place.flow, place.execution)
    named = "/".join(quote(name, safe="") for name in names)
    return f"{service}/v1/logs/{named}"


def _token(key: bytes, meta: Object, place: ExecutionPlace, text: str) -> LogToken | None:
    """Read the token that a status has; None where it opens nothing, as those that were made with
    another key, or by a version before."""
    try:
        token = LogToken.verified(key, meta["namespace"], place, text)
    except AccessDenied:
        return None
    return token if token.owner == meta["uid"] else None
