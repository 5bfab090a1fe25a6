"""The Jobs and pods of attempts, as last seen, by execution.

What attempts share, the Job and the pod of a WorkingDirectory, is kept apart; each attempt in it
has its own view of both. A pod that is deleted is kept until its execution has ended: how its
container came to an end says why it is gone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from penstock.controller.store import version_of
from penstock.engine.actions import AttemptKey, Observation
from penstock.kubernetes import podstatus
from penstock.kubernetes.api import Object
from penstock.kubernetes.guests import attempts_in, is_shared
from penstock.kubernetes.labels import ATTEMPT, DIRECTORY, EXECUTION_UID, TASK_RUN
from penstock.kubernetes.recent import Recent

_REMEMBERED = 20_000
"""Executions of which late news is dropped."""


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
        self._forgotten: Recent[str, None] = Recent(_REMEMBERED)

    def of(self, execution_uid: str) -> dict[AttemptKey, SeenAttempt]:
        return self._seen.get(execution_uid, {})

    def attempt(self, execution_uid: str, key: AttemptKey) -> SeenAttempt:
        return self._seen.setdefault(execution_uid, {}).setdefault(key, SeenAttempt())

    def directories(self, execution_uid: str) -> dict[AttemptKey, SeenAttempt]:
        """What attempts share, by the attempt of the WorkingDirectory."""
        return self._directories.get(execution_uid, {})

    def directory(self, execution_uid: str, key: AttemptKey) -> SeenAttempt:
        return self._directories.setdefault(execution_uid, {}).setdefault(key, SeenAttempt())

    def put_job(self, body: Object) -> None:
        """Take in a Job; one that is not ours, or of a forgotten execution, is passed over."""
        seen = self._find(body)
        if seen is None or (seen.job is not None and version_of(seen.job) > version_of(body)):
            return
        seen.job = body

    def remove_job(self, body: Object) -> None:
        seen = self._find(body)
        if seen is None:
            return
        seen.job_deleted = True
        meta = body["metadata"]
        for guest in self.of(meta["labels"][EXECUTION_UID]).values() if is_shared(body) else ():
            if guest.job is not None and guest.job["metadata"]["uid"] == meta["uid"]:
                guest.job_deleted = True

    def put_pod(self, body: Object) -> None:
        """Take in a pod, also one that is deleted: its last state is what counts."""
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
        self._forgotten.put(execution_uid, None)

    def remember(self, execution_uid: str) -> None:
        """An execution that had ended goes on: news of it counts again."""
        self._forgotten.drop(execution_uid)

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
    if directory.job is None:
        return None
    since = {"creationTimestamp": own["metadata"]["creationTimestamp"]}
    notes = {"annotations": own["metadata"]["annotations"]}
    return {**directory.job, "metadata": {**directory.job["metadata"], **since, **notes}}


def _has_ended(pod: Object) -> bool:
    """A pod's container ends a little before its phase says so."""
    return podstatus.terminated(pod) is not None or podstatus.is_over(pod)
