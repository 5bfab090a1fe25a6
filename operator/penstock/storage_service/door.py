"""The check of who may ask: whoever shows a grant whose Job runs."""

from __future__ import annotations

from aiohttp import web
from cachetools import TTLCache

from penstock.kubernetes.api.client import JOBS, Api, ApiError, Object
from penstock.kubernetes.api.labels import DIRECTORY, EXECUTION_UID, TASK_RUN
from penstock.resources.names import label_value
from penstock.storage.errors import AccessDenied, StorageUnavailable
from penstock.storage.grants import Grant, Right

REMEMBERED = 5.0
"""Seconds for which the last look at a Job counts."""
_MOST = 10_000
_ENDED = frozenset({"Complete", "SuccessCriteriaMet", "Failed", "FailureTarget"})
"""Conditions of a Job whose pod has ended; two of them come a second before the others."""


class Door:
    """Lets in requests that carry a grant, as `Authorization: Bearer …`."""

    def __init__(self, key: bytes, api: Api) -> None:
        self._key = key
        self._api = api
        self._wrong: TTLCache[tuple[str, ...], str | None] = TTLCache(_MOST, REMEMBERED)
        """What is wrong with the Job of a tenant's grant, for an owner and a task run; None where
        nothing is."""

    async def admitted(self, request: web.Request, right: Right | None = None) -> Grant:
        """The grant of a request. Raises :class:`AccessDenied` where there is none, its Job does
        not run, or it lacks the right.
        """
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer":
            raise AccessDenied("a grant is needed")
        grant = Grant.verified(token, self._key)
        if right is not None:
            grant.needs(right)
        wrong = await self._wrong_with_job(grant)
        if wrong is not None:
            raise AccessDenied(f"the grant is of the Job `{grant.job}`, {wrong}")
        return grant

    async def _wrong_with_job(self, grant: Grant) -> str | None:
        key = (grant.tenant, grant.job, grant.owner, grant.task_run)
        try:
            return self._wrong[key]
        except KeyError:
            wrong = self._wrong[key] = await self._looked_up(grant)
            return wrong

    async def _looked_up(self, grant: Grant) -> str | None:
        try:
            return wrong_with(grant, await self._api.get(JOBS, grant.tenant, grant.job))
        except ApiError as error:
            if error.not_found:
                return "which is gone"
            raise StorageUnavailable(f"the grant's Job can't be looked up: {error}") from error


def wrong_with(grant: Grant, job: Object) -> str | None:
    """Why a Job is not, or no longer, the one that the grant was given to; None where it is."""
    meta = job["metadata"]
    labels = meta.get("labels") or {}
    owners = [owner["uid"] for owner in meta.get("ownerReferences") or ()]
    wanted = {EXECUTION_UID: label_value(grant.owner)}
    if DIRECTORY not in labels:  # the pod of a WorkingDirectory has attempts of several task runs
        wanted[TASK_RUN] = label_value(grant.task_run)
    if grant.owner not in owners or wanted.items() - labels.items():
        return "which is another task's"
    conditions = (job.get("status") or {}).get("conditions") or ()
    if any(item["type"] in _ENDED and item["status"] == "True" for item in conditions):
        return "which has ended"
    return "which is being deleted" if meta.get("deletionTimestamp") else None
