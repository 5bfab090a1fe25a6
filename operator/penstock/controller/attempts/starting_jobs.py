"""How many Jobs of a namespace start at once, so that a burst of one does not delay all others.

Who makes pods of Jobs and starts them (the Job controller, the scheduler, the kubelets) takes one
after the other, whosesoever they are: hundreds of Jobs that one namespace has made are in front of
whatever another makes next. So a namespace has a bound of Jobs that are *starting*: made, and with
no pod that runs or has ended. Further ones wait here, in the order in which they were asked for,
and cost nothing while they do; their Execution is reconciled when the turn of one has come.

A namespace that is alone may have many, so that its burst takes no longer than that of bare Jobs.
As long as others start Jobs too, it may have few for each node: a node that starts ten pods takes
some seconds for each of them, and for that of somebody else just as long.

A Job stops to count when its pod says what it lacks, as no node has to start it meanwhile, and
after `LONGEST`, as nobody knows how long an image takes: such Jobs hold up the rest for a while
only. All of this is memory. A controller that starts anew finds in the cluster which Jobs start,
and is asked for those that wait as for all that were not made yet.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cachetools import TTLCache

from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.observation.ownership import job_name_of_pod
from penstock.kubernetes.observation.podstatus import date, has_left_start, job_has_ended

LONGEST = 10.0
"""Seconds for which a Job counts as starting at most."""
IN_COMPANY = 3
"""Jobs of one namespace that start at once, for each node, while those of others start too."""
_COMPANY = 10.0
"""Seconds for which a namespace counts as one whose Jobs start, after each of them."""
_NODE_KNOWN = 600.0
"""Seconds for which a node counts as one of those that start pods, after each of them."""
_NODES = _NAMESPACES = 10_000
"""How many of them are remembered."""


class NoRoom(Exception):
    """A Job has to wait, since as many of its namespace are starting as may."""


@dataclass(frozen=True)
class _Waiting:
    """A Job that waits for its turn."""

    execution: Key
    uid: str


@dataclass
class _Namespace:
    """The Jobs of one namespace, by name."""

    starting: dict[str, float] = field(default_factory=dict)
    """The time until which each Job counts that is starting; the earliest stands first."""
    waiting: OrderedDict[str, _Waiting] = field(default_factory=OrderedDict)
    """The Jobs that wait, in the order in which they were asked for."""
    timer: asyncio.TimerHandle | None = None
    """The timer that runs while any Job waits."""


class StartingJobs:
    """Knows which Jobs are starting, and which wait for that. For one event loop."""

    def __init__(
        self, at_once: int, wake: Callable[[Key], None], is_over: Callable[[str], bool]
    ) -> None:
        """``at_once`` is the bound of a namespace that is alone, 0 for none. ``wake`` lets an
        Execution be reconciled; ``is_over`` tells of one, by uid, whether it has ended or is
        gone."""
        self._at_once = at_once
        self._wake = wake
        self._is_over = is_over
        self._namespaces: dict[str, _Namespace] = {}
        """The namespaces of which any Job starts or waits."""
        self._lately: TTLCache[str, bool] = TTLCache(_NAMESPACES, _COMPANY)
        """The namespaces of which a Job began to start lately."""
        self._nodes: TTLCache[str, bool] = TTLCache(_NODES, _NODE_KNOWN)
        """The nodes on which pods of Jobs were seen lately."""

    def admit(self, execution: Object, job: str) -> None:
        """Count a Job of an execution, by name, as starting. Raises ``NoRoom`` where it has to
        wait: then the execution is reconciled when its turn has come."""
        if not self._at_once:
            return
        meta = execution["metadata"]
        jobs = self._namespaces.setdefault(meta["namespace"], _Namespace())
        now = asyncio.get_running_loop().time()
        _forget_old(jobs, now)
        if job in jobs.starting:
            return
        if len(jobs.starting) < self._bound(meta["namespace"]) and not jobs.waiting:
            self._begin(meta["namespace"], jobs, job, now)
            return
        key = Key("Execution", meta["namespace"], meta["name"])
        jobs.waiting.setdefault(job, _Waiting(key, meta["uid"]))
        self._call_next(meta["namespace"])
        if job in jobs.waiting:
            raise NoRoom

    def is_waiting(self, namespace: str, job: str) -> bool:
        """Tell whether a Job, by name, waits and its turn has not come."""
        jobs = self._namespaces.get(namespace)
        return jobs is not None and job in jobs.waiting

    def left(self, namespace: str, job: str) -> None:
        """Take in that a Job, by name, does not start any more: its pod runs, or it is gone, or
        nobody wants it."""
        jobs = self._namespaces.get(namespace)
        if jobs is not None:
            jobs.waiting.pop(job, None)
            jobs.starting.pop(job, None)
            self._call_next(namespace)

    def pod_seen(self, pod: Object) -> None:
        """Take in how a pod is. Whose it says that it is counts in its own namespace alone."""
        job = job_name_of_pod(pod)
        if job is None:
            return
        if (node := _node_that_runs(pod)) is not None:
            self._nodes[node] = True
        if has_left_start(pod):
            self.left(pod["metadata"]["namespace"], job)

    def recover(self, jobs: Iterable[Object], pods: Iterable[Object]) -> None:
        """Take in which Jobs are there when the controller starts, and their pods."""
        if not self._at_once:
            return
        now, clock = datetime.now(UTC), asyncio.get_running_loop().time()
        for job in sorted(jobs, key=_created):
            meta, made = job["metadata"], date(_created(job))
            rest = 0.0 if made is None else LONGEST - (now - made).total_seconds()
            if rest > 0 and not job_has_ended(job):
                known = self._namespaces.setdefault(meta["namespace"], _Namespace())
                known.starting.setdefault(meta["name"], clock + min(rest, LONGEST))
        for pod in pods:
            self.pod_seen(pod)

    def _call_next(self, namespace: str) -> None:
        """Let as many of those that wait start as there is room for. Each has its place from now
        on, so that nobody takes it until its execution is reconciled."""
        jobs = self._namespaces[namespace]
        now = asyncio.get_running_loop().time()
        _forget_old(jobs, now)
        bound = self._bound(namespace)
        while jobs.waiting and len(jobs.starting) < bound:
            job, waiting = jobs.waiting.popitem(last=False)
            if not self._is_over(waiting.uid):
                self._begin(namespace, jobs, job, now)
                self._wake(waiting.execution)
        self._set_timer(namespace, jobs)

    def _bound(self, namespace: str) -> int:
        """How many Jobs of a namespace may start at once now."""
        if len(self._lately) - (namespace in self._lately) <= 0:
            return self._at_once
        return min(self._at_once, IN_COMPANY * max(len(self._nodes), 1))

    def _begin(self, namespace: str, jobs: _Namespace, job: str, now: float) -> None:
        self._lately[namespace] = True
        jobs.starting[job] = now + LONGEST

    def _set_timer(self, namespace: str, jobs: _Namespace) -> None:
        """Look again when the next Job has started for too long, where any waits for that."""
        if jobs.timer is not None:
            jobs.timer.cancel()
            jobs.timer = None
        if jobs.waiting:
            first = next(iter(jobs.starting.values()))
            loop = asyncio.get_running_loop()
            jobs.timer = loop.call_at(first, self._call_next, namespace)
        elif not jobs.starting:
            del self._namespaces[namespace]


def _node_that_runs(pod: Object) -> str | None:
    """Tell the node on which a pod runs or ran: only a kubelet says so, but everybody may make a
    pod that names a node."""
    if (pod.get("status") or {}).get("phase") not in ("Running", "Succeeded"):
        return None
    node = (pod.get("spec") or {}).get("nodeName")
    return None if node is None else str(node)


def _forget_old(jobs: _Namespace, now: float) -> None:
    """Let Jobs not count any more that have been starting for long."""
    while jobs.starting:
        job = next(iter(jobs.starting))
        if jobs.starting[job] > now:
            return
        del jobs.starting[job]


def _created(job: Object) -> str:
    return str(job["metadata"].get("creationTimestamp") or "")
