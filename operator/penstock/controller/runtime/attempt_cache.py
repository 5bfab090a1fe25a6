"""The Jobs and pods of attempts, as last seen, by execution.

What attempts share, the Job and the pod of a WorkingDirectory, is kept apart; each attempt in it
has its own view of both. A pod that is deleted is kept until its execution has ended: how its
container came to an end says why it is gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from cachetools import FIFOCache

from penstock.controller.runtime.indexes import version_of
from penstock.engine.interface.actions import AttemptKey, Observation
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.labels import ATTEMPT, DIRECTORY, EXECUTION_UID, TASK_RUN
from penstock.kubernetes.observation import podstatus
from penstock.kubernetes.observation.shared_pod import DIRECTORY_OF, attempts_in, is_shared

_REMEMBERED = 20_000
"""Executions of which late news is dropped."""
_OWN = ("creationTimestamp", "annotations")
_VIEW = "view"
"""In the metadata of a shared Job as one of its attempts sees it."""


@dataclass
class SeenAttempt:
    """What was seen of one attempt."""

    job: Object | None = None
    pods: dict[str, Object] = field(default_factory=dict)
    job_deleted: bool = False
    outcome: Observation | None = None
    """The end, once it is known: it never changes afterwards."""
    ended_at: float | None = None
    """Monotonic time at which the end of the pod became known, for the edge latency."""


class AttemptStore:
    """All attempts of the executions that are not forgotten."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[AttemptKey, SeenAttempt]] = {}
        self._directories: dict[str, dict[AttemptKey, SeenAttempt]] = {}
        self._forgotten: FIFOCache[str, None] = FIFOCache(_REMEMBERED)

    def of(self, execution_uid: str) -> dict[AttemptKey, SeenAttempt]:
        return self._seen.get(execution_uid, {})

    def attempt(self, execution_uid: str, key: AttemptKey) -> SeenAttempt:
        return self._seen.setdefault(execution_uid, {}).setdefault(key, SeenAttempt())

    def directories(self, execution_uid: str) -> dict[AttemptKey, SeenAttempt]:
        """What attempts share, by the attempt of the WorkingDirectory."""
        return self._directories.get(execution_uid, {})

    def directory(self, execution_uid: str, key: AttemptKey) -> SeenAttempt:
        return self._directories.setdefault(execution_uid, {}).setdefault(key, SeenAttempt())

    def jobs(self) -> Iterator[Object]:
        """The Jobs that are taken to be there."""
        for seen in self._all():
            if seen.job is not None and not seen.job_deleted and not _is_view(seen.job):
                yield seen.job

    def pods(self) -> Iterator[Object]:
        """The pods that are taken to be there."""
        for seen in self._all():
            yield from (
                pod
                for pod in seen.pods.values()
                if not (podstatus.is_gone(pod) or DIRECTORY_OF in pod["metadata"])
            )

    def put_job(self, body: Object) -> None:
        """Take in a Job; one that is not ours, or of a forgotten execution, is passed over."""
        seen = self._find(body)
        if seen is None or (seen.job is not None and version_of(seen.job) > version_of(body)):
            return
        seen.job = body
        for guest in self._guests_of(body):
            guest.job = _with_own_notes(body, guest.job)

    def remove_job(self, body: Object) -> None:
        """Take in that a Job is gone."""
        seen = self._find(body)
        if seen is None or (seen.job is not None and _uid(seen.job) != _uid(body)):
            return
        seen.job_deleted = True
        for guest in self._guests_of(body):
            guest.job_deleted = True

    def put_pod(self, body: Object) -> None:
        """Take in a pod. The last state of one that is gone tells how the attempt ended; where it
        does not, the Job does."""
        seen = self._find(body)
        if seen is None:
            return
        _put(seen, body)
        for own in attempts_in(body) if is_shared(body) else ():
            guest = self._find(own)
            if guest is not None:
                guest.job = guest.job or _job_of(seen, own)
                _put(guest, own)

    def forget(self, execution_uid: str) -> None:
        """Drop everything about an execution that has ended or is gone."""
        self._seen.pop(execution_uid, None)
        self._directories.pop(execution_uid, None)
        self._forgotten[execution_uid] = None

    def remember(self, execution_uid: str) -> None:
        """An execution that had ended goes on: news of it counts again."""
        self._forgotten.pop(execution_uid, None)

    def _all(self) -> Iterator[SeenAttempt]:
        for attempts in (*self._seen.values(), *self._directories.values()):
            yield from attempts.values()

    def _guests_of(self, job: Object) -> Iterator[SeenAttempt]:
        """The attempts that see a shared Job as their own."""
        if is_shared(job):
            for guest in self.of(job["metadata"]["labels"][EXECUTION_UID]).values():
                if guest.job is not None and _uid(guest.job) == _uid(job):
                    yield guest

    def _find(self, body: Object) -> SeenAttempt | None:
        """The attempt an object belongs to. Labels are anyone's to write: nothing is assumed."""
        labels = body.get("metadata", {}).get("labels") or {}
        uid, run, number = (labels.get(name) for name in (EXECUTION_UID, TASK_RUN, ATTEMPT))
        if not uid or not run or uid in self._forgotten:
            return None
        if not isinstance(number, str) or not number.isdigit() or len(number) > 6:
            return None
        key = (run, int(number))
        return self.directory(uid, key) if DIRECTORY in labels else self.attempt(uid, key)


def _put(seen: SeenAttempt, body: Object) -> None:
    name = body["metadata"]["name"]
    known = seen.pods.get(name)
    if known is None or version_of(known) <= version_of(body):
        seen.pods[name] = body
        if seen.ended_at is None and _has_ended(body):
            seen.ended_at = time.monotonic()


def _job_of(directory: SeenAttempt, own: Object) -> Object | None:
    """The directory's Job, as if it were the attempt's: made when the attempt came into its pod."""
    return None if directory.job is None else _with_own_notes(directory.job, own)


def _with_own_notes(job: Object, own: Object | None) -> Object:
    """A shared Job as one attempt sees it: with the date and the annotations of its own."""
    notes = {} if own is None else {key: own["metadata"][key] for key in _OWN}
    return {**job, "metadata": {**job["metadata"], **notes, _VIEW: True}}


def _is_view(job: Object) -> bool:
    return _VIEW in job["metadata"]


def _uid(body: Object) -> str:
    return str(body["metadata"].get("uid"))


def _has_ended(pod: Object) -> bool:
    """A pod's container ends a little before its phase says so."""
    return podstatus.terminated(pod) is not None or podstatus.is_over(pod)
