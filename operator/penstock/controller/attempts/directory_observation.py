"""Observing the pods of WorkingDirectories, for attempts that are not in theirs yet. Nothing is
written here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from penstock.controller.attempts.effects import GiveUpJob, ObservedAttempt, RememberEnd
from penstock.controller.attempts.pending import Pending
from penstock.controller.runtime.attempt_cache import AttemptStore, SeenAttempt
from penstock.controller.runtime.failed_attempt import failed
from penstock.engine.interface.actions import DIRECTORY_LOST, Observation
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.names import ephemeral_name
from penstock.kubernetes.observation import podstatus, results
from penstock.kubernetes.observation.shared_pod import holder_state, waiting_before
from penstock.resources.execution import State, TaskRun


class DirectoryObserver:
    """Tells what is known of attempts that wait for the pod of their WorkingDirectory."""

    def __init__(self, attempts: AttemptStore, pending: Pending) -> None:
        self._attempts = attempts
        self._pending = pending

    async def observe(self, execution: Object, run: TaskRun) -> ObservedAttempt:
        """Observe an attempt that is not in its directory's pod yet. Raises ``ApiError``."""
        seen = self._latest(execution["metadata"]["uid"], run)
        if seen is None or seen.job is None or seen.job_deleted:
            return ObservedAttempt(run, None)
        pods = list(seen.pods.values())
        pod = podstatus.main_pod(pods)
        if pod is not None and holder_state(pod).keys() & {"running", "terminated"}:
            return await self._of_texts(seen.job, pod, run)
        if pod is not None and podstatus.is_over(pod):
            end = results.observe(seen.job, pods)
            end = with_directory_lost(end) if end.state is State.RESUBMITTED else end
            return ObservedAttempt(run, end, (RememberEnd(),))
        problem, left = await self._pending.check(seen.job, pods)
        if problem is None:
            return ObservedAttempt(run, None, check=left)
        end = failed(problem.reason, problem.message)
        return ObservedAttempt(run, end, (GiveUpJob(seen.job), RememberEnd()))

    async def _of_texts(self, job: Object, pod: Mapping[str, Any], run: TaskRun) -> ObservedAttempt:
        """Observe an attempt whose texts are made by a container before its own: that one may not
        be able to begin."""
        attempt = run.attempts[-1]
        waiting = waiting_before(pod, ephemeral_name(run.task_id, run.id, attempt.number))
        if waiting is None:
            return ObservedAttempt(run, None)
        since = {"creationTimestamp": attempt.created_date.isoformat()}
        problem, left = await self._pending.check(
            {**job, "metadata": {**job["metadata"], **since}}, [waiting]
        )
        if problem is None:
            return ObservedAttempt(run, None, check=left)
        return ObservedAttempt(run, failed(problem.reason, problem.message), (RememberEnd(),))

    def _latest(self, uid: str, run: TaskRun) -> SeenAttempt | None:
        """Find the directory of the task run itself, or of the one around it."""
        directories = self._attempts.directories(uid)
        own = [key for key in directories if key[0] in (run.id, run.parent)]
        return directories[max(own, key=lambda key: key[1])] if own else None


def with_directory_lost(observation: Observation) -> Observation:
    """Turn a lost attempt into one whose directory was lost with it."""
    return directory_lost(": ".join(filter(None, (observation.reason, observation.message))))


def directory_lost(why: str) -> Observation:
    """Observe that an attempt is lost, as its working directory is."""
    return Observation(
        State.RESUBMITTED,
        end_date=datetime.now(UTC),
        reason=DIRECTORY_LOST,
        message=f"the working directory was lost: {why}",
    )
