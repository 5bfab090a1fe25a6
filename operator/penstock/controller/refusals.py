"""Looks for the reason of Jobs that get no pod."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.kubernetes.api import EVENTS, Api
from penstock.kubernetes.podstatus import PendingProblem
from penstock.kubernetes.recent import Recent
from penstock.kubernetes.refused import FIELDS, last_warning, refusals

_FIRST_SECONDS = 5.0
"""A Job that has no pod by then may have been refused one; before, it is still to be made."""
_FRESH_SECONDS = 5.0
"""For how long the answer for a namespace is taken again: many Jobs may wait at once, and a list of
Events is a search through all of them."""
_NAMESPACES = 1_000


@dataclass(frozen=True)
class _Known:
    at: float
    by_job: Mapping[str, PendingProblem]


class Refusals:
    """What the Events of Jobs say, asked for rarely."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: Recent[str, _Known] = Recent(_NAMESPACES)

    async def of(self, job: Mapping[str, Any], age: float) -> PendingProblem | None:
        """Why a Job of that age has no pod, by the Job's metadata. Raises :class:`ApiError`."""
        if age < _FIRST_SECONDS:
            return None
        namespace = job["namespace"]
        known = self._known.get(namespace)
        if known is None or time.monotonic() - known.at > _FRESH_SECONDS:
            events = await self._api.list(EVENTS, namespace, fields=FIELDS)
            known = _Known(time.monotonic(), refusals(events))
            self._known.put(namespace, known)
        return known.by_job.get(job["uid"])

    async def of_pod(self, pod: Mapping[str, Any]) -> PendingProblem | None:
        """The last warning about a pod that does not start, by its metadata: of a volume that is
        not there, for example, nothing but an Event tells. Raises :class:`ApiError`.
        """
        fields = f"regarding.kind=Pod,regarding.uid={pod['uid']},type=Warning"
        return last_warning(await self._api.list(EVENTS, pod["namespace"], fields=fields))

    def again_after(self, age: float) -> float:
        """When to look again: rarer, the longer a Job has been waiting."""
        return max(_FIRST_SECONDS - age, 0.0) + 0.1 if age < _FIRST_SECONDS else age
