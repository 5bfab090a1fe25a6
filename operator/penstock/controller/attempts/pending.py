"""Pods that do not start: for how long they may wait, and why they do."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cachetools import LRUCache

from penstock.kubernetes.api.client import EVENTS, Api, Object
from penstock.kubernetes.observation.events import FIELDS, last_warning, refusals, start_within
from penstock.kubernetes.observation.podstatus import PendingProblem, pending_problem

_NO_POD_SECONDS = 5.0
"""A Job that has no pod by then may have been refused one; before, it is still to be made."""
_FRESH_SECONDS = 5.0
"""Seconds for which the answer for a namespace is taken again: many Jobs may wait, and a list of
Events is a search through all of them."""
_NAMESPACES = 1_000


@dataclass(frozen=True)
class _Known:
    at: float
    by_job: Mapping[str, PendingProblem]


class Pending:
    """Tells of Jobs whose pods do not start. Events are asked for where nothing else says why."""

    def __init__(self, api: Api, limit: float) -> None:
        self._api = api
        self.limit = limit
        """Seconds that a pod may wait whose task says nothing of it."""
        self._known: LRUCache[str, _Known] = LRUCache(_NAMESPACES)

    def may_wait(self, job: Object, since: datetime) -> bool:
        """Whether there is time left for a Job's pod to start."""
        return _seconds_since(since) < start_within(job, self.limit)

    async def check(
        self, job: Object, pods: Sequence[Object]
    ) -> tuple[PendingProblem | None, float]:
        """Why to give a Job up, None where there is no reason yet; when to look again.

        Raises :class:`ApiError`.
        """
        limit = start_within(job, self.limit)
        age = _seconds_since(datetime.fromisoformat(job["metadata"]["creationTimestamp"]))
        left = limit - age
        if pods:
            problem = next(filter(None, map(pending_problem, pods)), None)
        else:
            problem = await self._refusal(job, age)
            left = min(left, age if age > _NO_POD_SECONDS else _NO_POD_SECONDS - age + 0.1)
        if problem is not None and problem.hopeless:
            return replace(problem, message=f"{problem.reason}: {problem.message}"), 0.0
        if age < limit:
            return None, left
        if problem is None and pods:
            problem = await self._last_warning(pods[0])
        waited = f"not started within {limit:.0f} s: "
        if problem is None:
            return PendingProblem("PendingTimeout", f"{waited}its pod did not start"), 0.0
        return replace(problem, message=f"{waited}{problem.reason}: {problem.message}"), 0.0

    async def _refusal(self, job: Object, age: float) -> PendingProblem | None:
        """Why a Job of that age has no pod."""
        if age < _NO_POD_SECONDS:
            return None
        namespace = job["metadata"]["namespace"]
        known = self._known.get(namespace)
        if known is None or time.monotonic() - known.at > _FRESH_SECONDS:
            events = await self._api.list(EVENTS, namespace, fields=FIELDS)
            known = _Known(time.monotonic(), refusals(events))
            self._known[namespace] = known
        return known.by_job.get(job["metadata"]["uid"])

    async def _last_warning(self, pod: Object) -> PendingProblem | None:
        """Find the last warning: nothing else tells of a volume that is not there, for example."""
        meta = pod["metadata"]
        fields = f"regarding.kind=Pod,regarding.uid={meta['uid']},type=Warning"
        return last_warning(await self._api.list(EVENTS, meta["namespace"], fields=fields))


def _seconds_since(date: datetime) -> float:
    return (datetime.now(UTC) - date).total_seconds()
