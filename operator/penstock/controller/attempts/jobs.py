"""The Jobs of attempts: the only place where Jobs are made and deleted.

A Job is found by its name. One that is already there is taken as ours only if its owner is this
execution and its spec hash is that of this attempt; else the attempt fails and says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from penstock.controller.attempts.job_factory import own_name
from penstock.controller.attempts.starting_jobs import StartingJobs
from penstock.controller.logs.archiver import Logs
from penstock.controller.runtime.attempt_cache import AttemptStore, SeenAttempt
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.outcomes import exists_already
from penstock.controller.runtime.throttle import Throttle
from penstock.engine.interface.actions import StopAttempt
from penstock.kubernetes.api.client import CONFIG_MAPS, JOBS, Api, ApiError, Object
from penstock.kubernetes.api.configmap_store import refuse_foreign
from penstock.kubernetes.jobs.job import JobObjects, matches
from penstock.kubernetes.observation.podstatus import is_over, job_has_ended, terminated
from penstock.resources.execution import ExecutionStatus, State


class JobNameTaken(Exception):
    """A Job of the attempt's name is there, and is not the attempt's."""

    reason = "NameClash"

    def __init__(self, name: str) -> None:
        super().__init__(f"a Job {name} is there that is not this attempt's")


class Jobs:
    """Makes and deletes the Jobs of all executions."""

    def __init__(
        self,
        api: Api,
        attempts: AttemptStore,
        starting: StartingJobs,
        throttle: Throttle,
        metrics: Metrics,
        logs: Logs,
    ) -> None:
        self._api = api
        self._attempts = attempts
        self._starting = starting
        self._throttle = throttle
        self._metrics = metrics
        self._logs = logs

    def is_waiting(self, execution: Object, job: str) -> bool:
        """Tell whether a Job, by name, was asked for, and its turn to start has not come yet."""
        return self._starting.is_waiting(execution["metadata"]["namespace"], job)

    async def create(self, execution: Object, objects: JobObjects) -> None:
        """Let there be one Job of this name. Raises ``NoRoom`` where it has to wait for that,
        ``JobNameTaken``, ``KeptError`` for its ConfigMap, and ``ApiError``."""
        namespace, name = execution["metadata"]["namespace"], objects.job["metadata"]["name"]
        self._starting.admit(execution, name)
        try:
            job = await self._create(execution, objects)
        except BaseException:
            self._starting.left(namespace, name)
            raise
        self._attempts.put_job(job)
        self._metrics.job_created(self._attempts.take_edge(execution["metadata"]["uid"]))

    async def _create(self, execution: Object, objects: JobObjects) -> Object:
        namespace = execution["metadata"]["namespace"]
        await self._throttle.take(namespace)
        if objects.config_map is not None:
            await self._create_config_map(execution, objects.config_map)
        try:
            return await self._api.create(JOBS, namespace, objects.job)
        except ApiError as error:
            if not exists_already(error):
                raise
            job = await self._api.get(JOBS, namespace, objects.job["metadata"]["name"])
            if not matches(job, objects.job):
                raise JobNameTaken(job["metadata"]["name"]) from None
            return job

    async def delete(self, job: Object) -> None:
        """Let a Job be gone, with its pod."""
        meta = job["metadata"]
        await self._api.delete(JOBS, meta["namespace"], meta["name"], meta["uid"])

    async def keep_logs(self, execution: Object, actions: Iterable[StopAttempt]) -> None:
        """Keep what attempts have printed before they are stopped: nothing may be left to read
        then."""
        uid = execution["metadata"]["uid"]
        seen = [self._attempts.look(uid, action.key) for action in actions]
        await self._logs.keep_before_stop(pod for one in seen for pod in one.pods.values())

    async def stop(self, execution: Object, action: StopAttempt) -> None:
        """Let the attempt's Job be gone, with its pod. A pod that several attempts share stays: the
        name is not that of its Job."""
        meta = execution["metadata"]
        name = action.attempt.job or own_name(execution, action.task_run, action.attempt)
        self._starting.left(meta["namespace"], name)
        job = self._attempts.look(meta["uid"], action.key).job
        if job is not None:
            await self._api.delete(JOBS, meta["namespace"], name, job["metadata"]["uid"])

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
                await self.delete(seen.job)

    async def _create_config_map(self, execution: Object, config_map: Object) -> None:
        meta = config_map["metadata"]
        namespace = execution["metadata"]["namespace"]
        try:
            await self._api.create(CONFIG_MAPS, namespace, config_map)
        except ApiError as error:
            if not exists_already(error):
                raise
            existing = await self._api.get(CONFIG_MAPS, namespace, meta["name"])
            refuse_foreign(existing, execution)


def _is_live(seen: SeenAttempt) -> bool:
    if job_has_ended(seen.job):
        return False
    return not any(terminated(pod) is not None or is_over(pod) for pod in seen.pods.values())
