"""The Jobs and pods of attempts, as last seen, by execution.

What attempts share, the Job and the pod of a WorkingDirectory, is kept apart; each attempt in it
has its own view of both. A pod that is deleted is kept until its execution has ended: how its
container came to an end says why it is gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import version_of
from penstock.engine.interface.actions import AttemptKey, Observation
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.labels import ATTEMPT, DIRECTORY, EXECUTION_UID, TASK_RUN
from penstock.kubernetes.observation import podstatus
from penstock.kubernetes.observation.shared_pod import DIRECTORY_OF, attempts_in, is_shared

_OWN = ("creationTimestamp", "annotations")
_VIEW = "view"
"""Marks, in its metadata, a shared Job as one of its attempts sees it."""


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


@dataclass
class _Seen:
    """All attempts of one execution: a slot of its memory."""

    attempts: dict[AttemptKey, SeenAttempt] = field(default_factory=dict)
    directories: dict[AttemptKey, SeenAttempt] = field(default_factory=dict)
    """What attempts share, by the attempt of the WorkingDirectory."""


class AttemptStore:
    """Keeps in the memory of each execution what was seen of its attempts."""

    def __init__(self, memories: ExecutionMemories) -> None:
        self._memories = memories

    def of(self, execution_uid: str) -> dict[AttemptKey, SeenAttempt]:
        """Return all attempts of an execution of which anything was seen."""
        seen = self._memories.look(execution_uid, _Seen)
        return {} if seen is None else seen.attempts

    def look(self, execution_uid: str, key: AttemptKey) -> SeenAttempt:
        """Return what was seen of an attempt, without remembering that anybody asked."""
        return self.of(execution_uid).get(key) or SeenAttempt()

    def attempt(self, execution_uid: str, key: AttemptKey) -> SeenAttempt:
        """Return what is remembered of an attempt, and may be changed."""
        return self._memories.of(execution_uid, _Seen).attempts.setdefault(key, SeenAttempt())

    def directories(self, execution_uid: str) -> dict[AttemptKey, SeenAttempt]:
        """Return what attempts share, by the attempt of the WorkingDirectory."""
        seen = self._memories.look(execution_uid, _Seen)
        return {} if seen is None else seen.directories

    def directory(self, execution_uid: str, key: AttemptKey) -> SeenAttempt:
        """Return what was seen of a WorkingDirectory, without remembering that anybody asked."""
        return self.directories(execution_uid).get(key) or SeenAttempt()

    def jobs(self) -> Iterator[Object]:
        """List the Jobs that are taken to be there."""
        for seen in self._all():
            if seen.job is not None and not seen.job_deleted and not _is_view(seen.job):
                yield seen.job

    def pods(self) -> Iterator[Object]:
        """List the pods that are taken to be there."""
        for seen in self._all():
            yield from (
                pod
                for pod in seen.pods.values()
                if not (podstatus.is_gone(pod) or DIRECTORY_OF in pod["metadata"])
            )

    def put_job(self, job: Object) -> None:
        """Take in a Job; one that is not ours, or of a forgotten execution, is passed over."""
        seen = self._find(job)
        if seen is None or (seen.job is not None and version_of(seen.job) > version_of(job)):
            return
        seen.job = job
        for guest in self._guests_of(job):
            guest.job = _with_own_notes(job, guest.job)

    def remove_job(self, job: Object) -> None:
        """Take in that a Job is gone."""
        seen = self._find(job)
        if seen is None or (seen.job is not None and _uid(seen.job) != _uid(job)):
            return
        seen.job_deleted = True
        for guest in self._guests_of(job):
            guest.job_deleted = True

    def put_pod(self, pod: Object) -> None:
        """Take in a pod. The last state of one that is gone tells how the attempt ended; where it
        does not, the Job does."""
        seen = self._find(pod)
        if seen is None:
            return
        _put(seen, pod)
        for own in attempts_in(pod) if is_shared(pod) else ():
            guest = self._find(own)
            if guest is not None:
                guest.job = guest.job or _job_of(seen, own)
                _put(guest, own)

    def take_edge(self, execution_uid: str) -> float | None:
        """Return the seconds since the last end of a pod of the execution that nothing followed
        yet; from now on something has."""
        ended = [seen for seen in self.of(execution_uid).values() if seen.ended_at is not None]
        if not ended:
            return None
        last = max(seen.ended_at or 0.0 for seen in ended)
        for seen in ended:
            seen.ended_at = None
        return time.monotonic() - last

    def _all(self) -> Iterator[SeenAttempt]:
        for seen in self._memories.all(_Seen):
            yield from (*seen.attempts.values(), *seen.directories.values())

    def _guests_of(self, job: Object) -> Iterator[SeenAttempt]:
        """List the attempts that see a shared Job as their own."""
        if is_shared(job):
            for guest in self.of(job["metadata"]["labels"][EXECUTION_UID]).values():
                if guest.job is not None and _uid(guest.job) == _uid(job):
                    yield guest

    def _find(self, owned: Object) -> SeenAttempt | None:
        """Find the attempt that a Job or pod belongs to. Labels are anyone's to write: nothing is
        assumed."""
        labels = owned.get("metadata", {}).get("labels") or {}
        uid, run, number = (labels.get(name) for name in (EXECUTION_UID, TASK_RUN, ATTEMPT))
        if not uid or not run or self._memories.is_forgotten(uid):
            return None
        if not isinstance(number, str) or not number.isdigit() or len(number) > 6:
            return None
        seen = self._memories.of(uid, _Seen)
        attempts = seen.directories if DIRECTORY in labels else seen.attempts
        return attempts.setdefault((run, int(number)), SeenAttempt())


def _put(seen: SeenAttempt, pod: Object) -> None:
    name = pod["metadata"]["name"]
    known = seen.pods.get(name)
    if known is None or version_of(known) <= version_of(pod):
        seen.pods[name] = pod
        if seen.ended_at is None and _has_ended(pod):
            seen.ended_at = time.monotonic()


def _job_of(directory: SeenAttempt, own: Object) -> Object | None:
    """Show the directory's Job as if it were the attempt's: made when the attempt came into its
    pod."""
    return None if directory.job is None else _with_own_notes(directory.job, own)


def _with_own_notes(job: Object, own: Object | None) -> Object:
    """Show a shared Job as one attempt sees it: with the date and the annotations of its own."""
    notes = {} if own is None else {key: own["metadata"][key] for key in _OWN}
    return {**job, "metadata": {**job["metadata"], **notes, _VIEW: True}}


def _is_view(job: Object) -> bool:
    return _VIEW in job["metadata"]


def _uid(body: Object) -> str:
    return str(body["metadata"].get("uid"))


def _has_ended(pod: Object) -> bool:
    """Tell whether a pod's container has ended, which it does a little before the phase says so."""
    return podstatus.terminated(pod) is not None or podstatus.is_over(pod)
