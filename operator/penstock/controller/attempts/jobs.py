"""Attempts as Jobs: the only place where Jobs are made, looked at and deleted.

A Job is found by its name. One that is already there is taken as ours only if its owner is this
execution and its spec hash is that of this attempt; else the attempt fails and says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from penstock.controller.attempts.job_factory import JobFactory, name_of, own_name
from penstock.controller.attempts.pending import Pending
from penstock.controller.attempts.task_cache import CachedTasks
from penstock.controller.attempts.working_directories import WorkingDirectories, with_directory_lost
from penstock.controller.files.grants import place_in
from penstock.controller.keyvalues.task_effects import TaskEffects
from penstock.controller.logs.archiver import Logs
from penstock.controller.runtime.attempt_cache import AttemptStore, SeenAttempt
from penstock.controller.runtime.failed_attempt import failed
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.outcomes import Again
from penstock.controller.runtime.throttle import Throttle
from penstock.engine.interface.actions import (
    Action,
    Observation,
    StartAttempt,
    StopAttempt,
)
from penstock.kubernetes.api.client import CONFIG_MAPS, JOBS, PODS, Api, ApiError, Object
from penstock.kubernetes.api.configmap_store import NameTaken, refuse_foreign
from penstock.kubernetes.api.labels import ATTEMPT, EXECUTION_UID, TASK_RUN
from penstock.kubernetes.jobs.job import JobObjects, matches
from penstock.kubernetes.jobs.working_directory import Guest
from penstock.kubernetes.observation import results
from penstock.kubernetes.observation.podstatus import is_over, job_has_ended, terminated
from penstock.kubernetes.observation.shared_pod import is_shared
from penstock.resources.execution import ExecutionStatus, State, TaskRun
from penstock.storage.errors import StorageError, StorageUnavailable
from penstock.storage.uris import uri_of
from penstock.tasks.contract.task import TaskFailure

logger = logging.getLogger(__name__)

_LOG_LIMIT = 4_194_304
"""Bytes of a log's end that are read for outputs: 1 MiB of them, and what surrounds them."""


class JobNameTaken(Exception):
    """A Job of the attempt's name is there, and is not the attempt's."""

    reason = "NameClash"

    def __init__(self, name: str) -> None:
        super().__init__(f"a Job {name} is there that is not this attempt's")


class Jobs:
    """The Jobs of all executions."""

    def __init__(
        self,
        api: Api,
        attempts: AttemptStore,
        blueprints: JobFactory,
        directories: WorkingDirectories,
        throttle: Throttle,
        metrics: Metrics,
        pending: Pending,
        pairs: TaskEffects,
        logs: Logs,
        spared: CachedTasks,
    ) -> None:
        self._api = api
        self._attempts = attempts
        self._blueprints = blueprints
        self._directories = directories
        self._throttle = throttle
        self._metrics = metrics
        self._pending = pending
        self._pairs = pairs
        self._logs = logs
        self._spared = spared

    def name(
        self, execution: Object, status: ExecutionStatus, actions: Iterable[Action]
    ) -> ExecutionStatus:
        """The status with the names of the Jobs that the actions ask for."""
        wanted = {action.key: action for action in actions if isinstance(action, StartAttempt)}
        runs: list[TaskRun] = []
        changed = False
        for run in status.task_runs:
            last = run.attempts[-1] if run.attempts else None
            if last is not None and last.job is None and (run.id, last.number) in wanted:
                name = name_of(execution, wanted[run.id, last.number])
                named = last.model_copy(update={"job": name})
                run = run.model_copy(update={"attempts": [*run.attempts[:-1], named]})
                changed = True
            runs.append(run)
        return status.model_copy(update={"task_runs": runs}) if changed else status

    async def start(self, execution: Object, action: StartAttempt, status: ExecutionStatus) -> None:
        """Let there be one Job for this attempt. What can't start fails the attempt."""
        uid = execution["metadata"]["uid"]
        seen = self._attempts.attempt(uid, action.key)
        if seen.job is not None or seen.outcome is not None or self._logs.hold(execution, action):
            return
        seen.outcome = await self._spared.find(execution, status, action)
        if seen.outcome is not None:
            raise Again
        try:
            made = self._blueprints.of(execution, action, status, self._directories.is_wanted)
        except (TaskFailure, StorageError, ValueError) as error:
            if isinstance(error, StorageUnavailable) and self._may_wait(action):
                raise
            seen.outcome = failed("InvalidTask", action.secrets.told(str(error)))
            raise Again from error
        if isinstance(made, Guest):
            self._take_edge(uid)  # no Job follows: its creation is not late
            seen.outcome = await self._enter(execution, action, made)
            if seen.outcome is not None:
                raise Again
            return
        await self._throttle.take()
        try:
            await self._create(execution, made)
        except (NameTaken, JobNameTaken) as error:
            seen.outcome = failed(error.reason, f"the Job was refused: {error}")
            raise Again from error
        except ApiError as error:
            since = action.attempt.created_date
            later = error.is_over_quota and self._pending.may_wait(made.job, since)
            passes = error.transient or error.not_found or error.conflict or error.is_terminating
            if passes or later:
                raise
            reason = "QuotaExceeded" if error.is_over_quota else error.reason
            seen.outcome = failed(reason, f"the Job was refused: {error}")
            raise Again from error
        self._metrics.job_created(self._take_edge(uid))

    async def _enter(
        self, execution: Object, action: StartAttempt, guest: Guest
    ) -> Observation | None:
        """Let the attempt be in its directory's pod. Its end, where it can't be."""
        try:
            return await self._directories.enter(execution, action, guest)
        except ApiError as error:
            if error.transient or error.not_found or error.conflict:
                raise
            return failed(error.reason, f"the task was refused in its directory's pod: {error}")

    async def leave(self, execution: Object, status: ExecutionStatus) -> None:
        """Let the pods end in which nothing more is to be done."""
        await self._directories.leave(execution, status)

    async def stop(self, execution: Object, action: StopAttempt) -> None:
        """Let the attempt's Job be gone, with its pod."""
        namespace = execution["metadata"]["namespace"]
        name = action.attempt.job or own_name(execution, action.task_run, action.attempt)
        seen = self._attempts.attempt(execution["metadata"]["uid"], action.key)
        if seen.job is not None:
            await self._api.delete(JOBS, namespace, name, seen.job["metadata"]["uid"])

    async def sweep(self, execution: Object, status: ExecutionStatus) -> None:
        """Delete what still runs of an execution that has ended: the controller may have died
        between writing the end and stopping it.

        Of an attempt that came to an end of its own nothing runs, whatever was seen of its Job: in
        an execution that is done again that may be old.
        """
        over = {
            (run.id, attempt.number)
            for run in status.task_runs
            for attempt in run.attempts
            if attempt.state in (State.SUCCESS, State.FAILED)
        }
        for key, seen in list(self._attempts.of(execution["metadata"]["uid"]).items()):
            if key not in over and seen.job is not None and not seen.job_deleted and _is_live(seen):
                meta = seen.job["metadata"]
                await self._api.delete(JOBS, meta["namespace"], meta["name"], meta["uid"])

    async def observe(
        self, execution: Object, status: ExecutionStatus, run: TaskRun
    ) -> tuple[Observation | None, float | None]:
        """What is known of the last attempt of a task run (None: it has no Job yet), and when to
        look again.
        """
        attempt = run.attempts[-1]
        key = (run.id, attempt.number)
        seen = self._attempts.attempt(execution["metadata"]["uid"], key)
        if seen.outcome is not None:
            return seen.outcome, None
        if seen.job is None and not seen.pods:
            if attempt.state is State.RUNNING or seen.job_deleted:
                return results.job_deleted(), None
            seen.outcome, left = await self._directories.look(execution, run)
            return seen.outcome, left
        if seen.job is not None and not seen.pods and job_has_ended(seen.job):
            await self._find_pods(execution, run.id, attempt.number)
        observation = await self._read(seen)
        if observation.state is State.RESUBMITTED and seen.job is not None and is_shared(seen.job):
            observation = with_directory_lost(observation)
        if not observation.state.terminated and seen.job_deleted:
            observation = results.job_deleted()
        if observation.state.terminated:
            own = place_in(execution, status).task_folder(run.task_id, run.id)
            observation = results.with_own_files(observation, uri_of(own))
            observation = await self._pairs.apply(execution, key, seen, observation)
            await self._spared.keep(execution, status, run, seen.job, observation)
            seen.outcome = replace(observation, end_date=_end_date(observation, datetime.now(UTC)))
            return seen.outcome, None
        return await self._check_pending(seen, observation)

    async def _find_pods(self, execution: Object, run: str, number: int) -> None:
        """Ask for the pods of an attempt whose Job has ended and of which none was seen: the watch
        of the Jobs may be ahead of that of the pods, and the pod has the outputs."""
        meta = execution["metadata"]
        labels = {EXECUTION_UID: meta["uid"], TASK_RUN: run, ATTEMPT: str(number)}
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        for body in await self._api.list(PODS, meta["namespace"], selector):
            self._attempts.put_pod(body)
            self._logs.seen(body)

    async def _read(self, seen: SeenAttempt) -> Observation:
        """What the pods say; the log is fetched only where outputs were too long for them."""
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
                if error.transient:
                    raise
                logger.warning("the log of %s can't be read: %s", request.pod, error)
        return results.observe(seen.job, pods, _timeout(pods), log)

    async def _check_pending(
        self, seen: SeenAttempt, observation: Observation
    ) -> tuple[Observation, float | None]:
        """A pod that can't start for too long fails its attempt, with the cause."""
        if observation.state is State.RUNNING or seen.job is None:
            return observation, None
        problem, left = await self._pending.check(seen.job, list(seen.pods.values()))
        if problem is None:
            return observation, left
        meta = seen.job["metadata"]
        await self._api.delete(JOBS, meta["namespace"], meta["name"], meta["uid"])
        seen.outcome = failed(problem.reason, problem.message)
        return seen.outcome, None

    def _may_wait(self, action: StartAttempt) -> bool:
        """Whether what an attempt needs may still come."""
        waited = datetime.now(UTC) - action.attempt.created_date
        return waited.total_seconds() < self._pending.limit

    async def _create(self, execution: Object, objects: JobObjects) -> None:
        namespace = execution["metadata"]["namespace"]
        if objects.config_map is not None:
            try:
                await self._api.create(CONFIG_MAPS, namespace, objects.config_map)
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise
                name = objects.config_map["metadata"]["name"]
                refuse_foreign(await self._api.get(CONFIG_MAPS, namespace, name), execution)
        try:
            job = await self._api.create(JOBS, namespace, objects.job)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            job = await self._api.get(JOBS, namespace, objects.job["metadata"]["name"])
            if not matches(job, objects.job):
                raise JobNameTaken(job["metadata"]["name"]) from None
        self._attempts.put_job(job)

    def _take_edge(self, uid: str) -> float | None:
        """Seconds since the last end of a pod of the execution that nothing followed yet."""
        ended = [seen for seen in self._attempts.of(uid).values() if seen.ended_at is not None]
        if not ended:
            return None
        last = max(ended, key=lambda seen: seen.ended_at or 0.0)
        assert last.ended_at is not None
        seconds = time.monotonic() - last.ended_at
        for seen in ended:
            seen.ended_at = None
        return seconds


def _is_live(seen: SeenAttempt) -> bool:
    if job_has_ended(seen.job):
        return False
    return not any(terminated(pod) is not None or is_over(pod) for pod in seen.pods.values())


def _end_date(observation: Observation, now: datetime) -> datetime:
    """When an attempt ended. Kubernetes tells the second in which it was, cut off: taken as it is,
    the wait of a retry would be up to a second too short.
    """
    if observation.end_date is None:
        return now
    return min(observation.end_date + timedelta(seconds=1), now)


def _timeout(pods: Sequence[Object]) -> timedelta | None:
    """The attempt's own limit, as its pod has it."""
    limits = [pod.get("spec", {}).get("activeDeadlineSeconds") for pod in pods]
    return next((timedelta(seconds=limit) for limit in limits if limit), None)
