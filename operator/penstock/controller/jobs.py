"""Attempts as Jobs: the only place where Jobs are made, looked at and deleted.

A Job is found by its name. One that is already there is taken as ours only if its owner is this
execution and its spec hash is that of this attempt; else the attempt fails and says so.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from penstock.controller.again import Again
from penstock.controller.attempts import AttemptStore, SeenAttempt
from penstock.controller.directories import Directories, with_directory_lost
from penstock.controller.grants import Grants, place_in
from penstock.controller.logs import Logs
from penstock.controller.metrics import Metrics
from penstock.controller.pending import Pending
from penstock.controller.secrets import SecretSources
from penstock.controller.spared import Spared
from penstock.controller.taskpairs import TaskPairs
from penstock.engine.actions import (
    Action,
    Observation,
    StartAttempt,
    StopAttempt,
)
from penstock.engine.flowables.working_directory import WorkingDirectory
from penstock.kubernetes import results
from penstock.kubernetes.api import CONFIG_MAPS, JOBS, Api, ApiError, Object
from penstock.kubernetes.directories import (
    Guest,
    build_directory,
    directory_name,
    fold,
    name_in_directory,
    shared_by,
)
from penstock.kubernetes.directories import needs_storage as needs_files
from penstock.kubernetes.guests import is_shared
from penstock.kubernetes.jobs import JobDefaults, JobObjects, Owner, build_job, job_name, matches
from penstock.kubernetes.kept import refuse_foreign
from penstock.kubernetes.podstatus import is_over, job_condition, terminated
from penstock.kubernetes.staged import CLOSING, PodStorage, needs_storage
from penstock.resources.execution import Attempt, ExecutionStatus, State, TaskRun
from penstock.storage.errors import StorageError, StorageUnavailable
from penstock.storage.uris import uri_of
from penstock.tasks.contract import Container, TaskFailure
from penstock.tasks.pod_folders import OWN, Paths
from penstock.tasks.registry import container
from penstock.tasks.sharing import Sharing

logger = logging.getLogger(__name__)

_LOG_LIMIT = 4_194_304
"""Bytes of a log's end that are read for outputs: 1 MiB of them, and what surrounds them."""


class Throttle:
    """A token bucket. The Job controller completes few Jobs a second with its default limits;
    making them much faster only fills its queue.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._at = time.monotonic()
        self._lock = asyncio.Lock()

    async def take(self) -> None:
        async with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
            self._at = now
            if self._tokens < 1:
                await asyncio.sleep((1 - self._tokens) / self._per_second)
                self._tokens, self._at = 1.0, time.monotonic()
            self._tokens -= 1


class Jobs:
    """The Jobs of all executions."""

    def __init__(
        self,
        api: Api,
        attempts: AttemptStore,
        defaults: JobDefaults,
        secrets: SecretSources,
        throttle: Throttle,
        metrics: Metrics,
        pending_timeout: float,
        pairs: TaskPairs,
        grants: Grants,
        logs: Logs,
        spared: Spared,
    ) -> None:
        self._api = api
        self._attempts = attempts
        self._defaults = defaults
        self._secrets = secrets
        self._throttle = throttle
        self._metrics = metrics
        self._pending = Pending(api, pending_timeout)
        self._directories = Directories(api, attempts, defaults, self._pending)
        self._pairs = pairs
        self._grants = grants
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
                name = _name_of(execution, wanted[run.id, last.number])
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
        asked = shared_by(action.workspace)
        try:
            objects, guest = self._objects(execution, action, status, asked)
        except (TaskFailure, StorageError, ValueError) as error:
            if isinstance(error, StorageUnavailable) and self._may_wait(action):
                raise ApiError(503, "StorageUnavailable", str(error)) from error
            seen.outcome = _failed("InvalidTask", action.secrets.told(str(error)))
            raise Again from error
        if guest is not None:
            seen.outcome = await self._directories.enter(execution, action, guest)
            self._take_edge(uid)  # no Job follows: its creation is not late
            if seen.outcome is not None:
                raise Again
            return
        await self._throttle.take()
        try:
            await self._create(execution, objects)
        except ApiError as error:
            over_quota = error.status == 403 and "quota" in str(error).lower()
            since = action.attempt.created_date
            later = over_quota and self._pending.may_wait(objects.job, since)
            if error.transient or error.not_found or later:
                raise
            reason = "QuotaExceeded" if over_quota else error.reason
            seen.outcome = _failed(reason, f"the Job was refused: {error}")
            raise Again from error
        self._metrics.job_created(self._take_edge(uid))

    async def leave(self, execution: Object, status: ExecutionStatus) -> None:
        """Let the pods end in which nothing more is to be done."""
        await self._directories.leave(execution, status)

    async def stop(self, execution: Object, action: StopAttempt) -> None:
        """Let the attempt's Job be gone, with its pod."""
        namespace = execution["metadata"]["namespace"]
        name = action.attempt.job or _job_name(execution, action.task_run, action.attempt)
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
        seen.outcome = _failed(problem.reason, problem.message)
        return seen.outcome, None

    def _objects(
        self,
        execution: Object,
        action: StartAttempt,
        status: ExecutionStatus,
        asked: Sharing | None,
    ) -> tuple[JobObjects, Guest | None]:
        """The Job to make, if any, and what is to be added to the pod of a WorkingDirectory where
        the attempt is to run in one. Raises ``TaskFailure`` and ``StorageError``.
        """
        if asked is None or action.workspace is None:
            return self._build(execution, action, status, OWN), None
        if self._directories.is_wanted(execution, action.workspace):
            return self._build_directory(execution, action, status, asked), None
        paths = Paths(name_in_directory(action))
        return JobObjects({}), fold(self._build(execution, action, status, paths), action)

    def _build(
        self, execution: Object, action: StartAttempt, status: ExecutionStatus, paths: Paths
    ) -> JobObjects:
        what = self._container(execution, action, status)
        storage = None
        if needs_storage(action, what, paths):
            storage = self._storage(execution, action, status, what)
        places = self._secrets.of(execution) if action.secrets else None
        owner = _owner(execution)
        objects = build_job(action, owner, what, self._defaults, storage, places, paths)
        self._spared.mark(objects.job, action)
        return objects

    def _build_directory(
        self, execution: Object, action: StartAttempt, status: ExecutionStatus, asked: Sharing
    ) -> JobObjects:
        """The Job in whose pod the attempt is to run, and those that follow it."""
        workspace = action.workspace
        assert workspace is not None
        storage = None
        if needs_files(workspace):
            storage = self._storage(execution, action, status, CLOSING)
        owner, places = _owner(execution), self._secrets.of(execution)
        secrets = action.secrets
        return build_directory(workspace, asked, owner, self._defaults, storage, secrets, places)

    def _storage(
        self, execution: Object, action: StartAttempt, status: ExecutionStatus, what: Container
    ) -> PodStorage:
        name = _name_of(execution, action)
        return self._grants.storage(execution, status, action, name, what)

    def _container(
        self, execution: Object, action: StartAttempt, status: ExecutionStatus
    ) -> Container:
        """What an attempt runs. Raises ``TaskFailure``."""
        if isinstance(action.task, WorkingDirectory):
            return CLOSING
        assert status.flow is not None
        around = self._pairs.around(execution, status.flow, action)
        return container(action.task.type, action.properties, around)

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
                name = job["metadata"]["name"]
                raise ApiError(
                    409, "NameClash", f"a Job {name} is there that is not this attempt's"
                ) from None
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


def _name_of(execution: Object, action: StartAttempt) -> str:
    """The name of the Job in whose pod an attempt runs."""
    if action.workspace is not None and shared_by(action.workspace) is not None:
        return directory_name(execution, action.workspace)
    return _job_name(execution, action.task_run, action.attempt)


def _owner(execution: Object) -> Owner:
    meta = execution["metadata"]
    return Owner(meta["name"], meta["namespace"], meta["uid"])


def _job_name(execution: Object, run: TaskRun, attempt: Attempt) -> str:
    meta = execution["metadata"]
    return job_name(meta["name"], meta["uid"], run.task_id, run.id, attempt.number)


def _is_live(seen: SeenAttempt) -> bool:
    conditions = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget")
    if any(job_condition(seen.job, name) is not None for name in conditions):
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


def _failed(reason: str, message: str) -> Observation:
    return Observation(State.FAILED, end_date=datetime.now(UTC), reason=reason, message=message)
