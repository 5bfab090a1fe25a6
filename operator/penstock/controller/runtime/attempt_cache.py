"""The Jobs and pods of attempts, as last seen, by execution.

Only what is an attempt's counts (:mod:`penstock.kubernetes.observation.ownership`): a foreign Job
or pod with the labels of one is passed over, in whichever namespace it is.

What attempts share, the Job and the pod of a WorkingDirectory, is kept apart; each attempt in it
has its own view of both. A pod that is deleted is kept until its execution has ended: how its
container came to an end says why it is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import version_of
from penstock.engine.interface.actions import AttemptKey, Observation
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.labels import EXECUTION_UID
from penstock.kubernetes.observation import podstatus
from penstock.kubernetes.observation.ownership import (
    AttemptName,
    attempt_named_by,
    attempt_of_job,
    is_pod_of,
)
from penstock.kubernetes.observation.shared_pod import DIRECTORY_OF, attempts_in, is_shared

_OWN = ("creationTimestamp", "annotations")
_VIEW = "view"
"""Marks, in its metadata, a shared Job as one of its attempts sees it."""
_MOST_EARLY = 8
"""Pods of one attempt that are kept until their Job is seen."""

UidOf = Callable[[str, str], str | None]
"""Gives the uid of the Execution of a namespace and name; None where there is none."""


@dataclass
class SeenAttempt:
    """What was seen of one attempt."""

    job: Object | None = None
    pods: dict[str, Object] = field(default_factory=dict)
    job_deleted: bool = False
    outcome: Observation | None = None
    """The end, once it is known: it never changes afterwards."""
    early_pods: dict[str, Object] = field(default_factory=dict)
    """Pods that say they are of this attempt, and whose Job was not seen yet."""
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

    def __init__(self, memories: ExecutionMemories, uid_of: UidOf) -> None:
        self._memories = memories
        self._uid_of = uid_of

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

    def put_job(self, job: Object) -> list[Object]:
        """Take in a Job; one that is not ours, or of a forgotten execution, is passed over. Return
        the pods that count from now on, each as its attempt sees it: they were seen before it."""
        seen = self._find(attempt_of_job(job))
        if seen is None or (seen.job is not None and version_of(seen.job) > version_of(job)):
            return []
        seen.job = job
        for attempt in self._attempts_within(job):
            attempt.job = _with_own_notes(job, attempt.job)
        early, seen.early_pods = seen.early_pods, {}
        return [own for pod in early.values() for own in self._put_pod(seen, pod)]

    def remove_job(self, job: Object) -> None:
        """Take in that a Job is gone."""
        seen = self._find(attempt_of_job(job))
        if seen is None or (seen.job is not None and _uid(seen.job) != _uid(job)):
            return
        seen.job_deleted = True
        for attempt in self._attempts_within(job):
            attempt.job_deleted = True

    def put_pod(self, pod: Object) -> list[Object]:
        """Take in a pod. The last state of one that is gone tells how the attempt ended; where it
        does not, the Job does. Return what of it counts, each as its attempt sees it; nothing where
        it is not ours, or its Job was not seen yet."""
        seen = self._find(attempt_named_by(pod))
        if seen is None:
            return []
        if seen.job is None:
            if len(seen.early_pods) < _MOST_EARLY:
                seen.early_pods[pod["metadata"]["name"]] = pod
            return []
        return self._put_pod(seen, pod)

    def _put_pod(self, seen: SeenAttempt, pod: Object) -> list[Object]:
        if not (_is_known(seen, pod) or (seen.job is not None and is_pod_of(pod, seen.job))):
            return []
        _put(seen, pod)
        if not is_shared(pod):
            return [pod]
        return list(self._put_attempts_within(seen, attempts_in(pod)))

    def _put_attempts_within(
        self, directory: SeenAttempt, pods: Iterable[Object]
    ) -> Iterator[Object]:
        """Take in a shared pod as each of the attempts in it sees it."""
        for own in pods:
            attempt = self._find(attempt_named_by(own))
            if attempt is not None:
                attempt.job = attempt.job or _job_of(directory, own)
                _put(attempt, own)
                yield own

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

    def _attempts_within(self, job: Object) -> Iterator[SeenAttempt]:
        """List the attempts that see a shared Job as their own."""
        if is_shared(job):
            for attempt in self.of(job["metadata"]["labels"][EXECUTION_UID]).values():
                if attempt.job is not None and _uid(attempt.job) == _uid(job):
                    yield attempt

    def _find(self, named: AttemptName | None) -> SeenAttempt | None:
        """Find what was seen of an attempt. Nothing is remembered of an execution that is not
        there."""
        if named is None or self._memories.is_forgotten(named.uid):
            return None
        if self._uid_of(named.namespace, named.execution) != named.uid:
            return None
        seen = self._memories.of(named.uid, _Seen)
        attempts = seen.directories if named.shared else seen.attempts
        return attempts.setdefault((named.task_run, named.number), SeenAttempt())


def _is_known(seen: SeenAttempt, pod: Object) -> bool:
    """Tell whether a pod was taken in before; its Job may have been deleted and made anew since."""
    known = seen.pods.get(pod["metadata"]["name"])
    return known is not None and _uid(known) == _uid(pod)


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
