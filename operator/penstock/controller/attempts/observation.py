"""Observing attempts: what their Jobs and pods tell.

Nothing is written here, neither to the cluster nor to a memory; what an observation leads to is
named as effects (see ``attempts.effects``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from penstock.controller.attempts.directory_observation import (
    DirectoryObserver,
    with_directory_lost,
)
from penstock.controller.attempts.effects import (
    ChangeKeyValues,
    Effect,
    GiveUpJob,
    KeepInTaskCache,
    ObservedAttempt,
    RememberEnd,
    TakeInPods,
)
from penstock.controller.attempts.pending import Pending
from penstock.controller.attempts.task_cache import digest_in
from penstock.controller.files.grants import place_in
from penstock.controller.keyvalues.task_effects import granted_to
from penstock.controller.runtime.attempt_cache import AttemptStore, SeenAttempt
from penstock.controller.runtime.failed_attempt import failed
from penstock.controller.runtime.outcomes import is_unanswered
from penstock.engine.interface.actions import Observation
from penstock.kubernetes.api.client import PODS, Api, ApiError, Object
from penstock.kubernetes.api.labels import ATTEMPT, DIRECTORY, EXECUTION_UID, TASK_RUN
from penstock.kubernetes.observation import results
from penstock.kubernetes.observation.podstatus import job_has_ended
from penstock.kubernetes.observation.shared_pod import is_shared
from penstock.resources.execution import ExecutionStatus, State, TaskRun
from penstock.storage.uris import uri_of

logger = logging.getLogger(__name__)

_LOG_LIMIT = 4_194_304
"""Bytes of a log's end that are read for outputs: 1 MiB of them, and what surrounds them."""


class AttemptObserver:
    """Tells what is known of attempts."""

    def __init__(
        self,
        api: Api,
        attempts: AttemptStore,
        directories: DirectoryObserver,
        pending: Pending,
    ) -> None:
        self._api = api
        self._attempts = attempts
        self._directories = directories
        self._pending = pending

    async def observe(
        self, execution: Object, status: ExecutionStatus, run: TaskRun
    ) -> ObservedAttempt:
        """Observe the last attempt of a task run. Raises ``ApiError``."""
        attempt = run.attempts[-1]
        seen = self._attempts.look(execution["metadata"]["uid"], (run.id, attempt.number))
        if seen.outcome is not None:
            return ObservedAttempt(run, seen.outcome)
        if seen.job is None and not seen.pods:
            if attempt.state is State.RUNNING or seen.job_deleted:
                return ObservedAttempt(run, results.job_deleted())
            return await self._directories.observe(execution, run)
        found: tuple[Object, ...] = ()
        if seen.job is not None and not seen.pods and job_has_ended(seen.job):
            found = await self._find_pods(execution, run.id, attempt.number)
            seen = _with_pods(seen, found)
        observed = await self._of_job(execution, status, run, seen)
        if not found:
            return observed
        return replace(observed, effects=(TakeInPods(found), *observed.effects))

    async def _of_job(
        self, execution: Object, status: ExecutionStatus, run: TaskRun, seen: SeenAttempt
    ) -> ObservedAttempt:
        """Observe an attempt that has a Job, or pods that have outlived it."""
        observation = await self._read(seen)
        if observation.state is State.RESUBMITTED and seen.job is not None and is_shared(seen.job):
            observation = with_directory_lost(observation)
        if not observation.state.terminated and seen.job_deleted:
            observation = results.job_deleted()
        if not observation.state.terminated:
            return await self._check_pending(run, seen, observation)
        own = place_in(execution, status).task_folder(run.task_id, run.id)
        observation = results.with_own_files(observation, uri_of(own))
        observation = replace(observation, end_date=_end_date(observation, datetime.now(UTC)))
        return ObservedAttempt(run, observation, tuple(_effects_of_end(seen, observation)))

    async def _find_pods(self, execution: Object, run: str, number: int) -> tuple[Object, ...]:
        """List the pods of an attempt whose Job has ended and of which none was seen: the watch of
        the Jobs may be ahead of that of the pods, and the pod has the outputs."""
        meta = execution["metadata"]
        labels = {EXECUTION_UID: meta["uid"], TASK_RUN: run, ATTEMPT: str(number)}
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        return tuple(await self._api.list(PODS, meta["namespace"], selector))

    async def _read(self, seen: SeenAttempt) -> Observation:
        """Read what the pods say; the log is fetched only where outputs were too long for them."""
        pods = list(seen.pods.values())
        request = results.needs_log(pods)
        log: str | None = None
        if request is not None:
            namespace = pods[0]["metadata"]["namespace"]
            try:
                log = await self._api.log(
                    namespace, request.pod, request.container, request.tail_lines, _LOG_LIMIT
                )
            except ApiError as error:
                if is_unanswered(error):
                    raise
                logger.warning("the log of %s can't be read: %s", request.pod, error)
        return results.observe(seen.job, pods, _timeout(pods), log)

    async def _check_pending(
        self, run: TaskRun, seen: SeenAttempt, observation: Observation
    ) -> ObservedAttempt:
        """Fail an attempt whose pod can't start for too long, with the cause."""
        if observation.state is State.RUNNING or seen.job is None:
            return ObservedAttempt(run, observation)
        problem, left = await self._pending.check(seen.job, list(seen.pods.values()))
        if problem is None:
            return ObservedAttempt(run, observation, check=left)
        end = failed(problem.reason, problem.message)
        return ObservedAttempt(run, end, (GiveUpJob(seen.job), RememberEnd()))


def _effects_of_end(seen: SeenAttempt, observation: Observation) -> list[Effect]:
    """List what follows from an attempt's end, before the end may be told to anybody."""
    effects: list[Effect] = []
    granted = granted_to(seen)
    if observation.effects or granted:
        effects.append(ChangeKeyValues(granted))
    if digest := digest_in(seen.job):
        effects.append(KeepInTaskCache(digest))
    return [*effects, RememberEnd()]


def _with_pods(seen: SeenAttempt, pods: Sequence[Object]) -> SeenAttempt:
    own: Mapping[str, Object] = {
        pod["metadata"]["name"]: pod for pod in pods if DIRECTORY not in pod["metadata"]["labels"]
    }
    return replace(seen, pods=dict(own))


def _end_date(observation: Observation, now: datetime) -> datetime:
    """Return when an attempt ended. Kubernetes tells the second in which it was, cut off: taken as
    it is, the wait of a retry would be up to a second too short.
    """
    if observation.end_date is None:
        return now
    return min(observation.end_date + timedelta(seconds=1), now)


def _timeout(pods: Sequence[Object]) -> timedelta | None:
    """Return the attempt's own limit, as its pod has it."""
    limits = [pod.get("spec", {}).get("activeDeadlineSeconds") for pod in pods]
    return next((timedelta(seconds=limit) for limit in limits if limit), None)
