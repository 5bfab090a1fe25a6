"""Starting attempts: each becomes a Job, a container in the pod of its WorkingDirectory, or an end
that is known without running it."""

from __future__ import annotations

from datetime import UTC, datetime

from penstock.controller.attempts.job_factory import JobFactory, name_of
from penstock.controller.attempts.jobs import JobNameTaken, Jobs
from penstock.controller.attempts.pending import Pending
from penstock.controller.attempts.starting_jobs import NoRoom
from penstock.controller.attempts.task_cache import CachedTasks
from penstock.controller.attempts.working_directories import WorkingDirectories
from penstock.controller.logs.archiver import Logs
from penstock.controller.runtime.attempt_cache import AttemptStore
from penstock.controller.runtime.failed_attempt import failed
from penstock.controller.runtime.outcomes import (
    Again,
    is_over_quota,
    is_passing,
    is_terminating,
)
from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.kubernetes.api.client import ApiError, Object
from penstock.kubernetes.api.configmap_store import NameTaken
from penstock.kubernetes.jobs.job import JobObjects
from penstock.kubernetes.jobs.working_directory import AddedContainers
from penstock.resources.execution import ExecutionStatus
from penstock.storage.errors import StorageError, StorageUnavailable
from penstock.tasks.contract.task import TaskFailure


class AttemptStarter:
    """Starts attempts. What can't start fails its attempt."""

    def __init__(
        self,
        attempts: AttemptStore,
        job_factory: JobFactory,
        jobs: Jobs,
        directories: WorkingDirectories,
        task_cache: CachedTasks,
        logs: Logs,
        pending: Pending,
    ) -> None:
        self._attempts = attempts
        self._job_factory = job_factory
        self._jobs = jobs
        self._directories = directories
        self._task_cache = task_cache
        self._logs = logs
        self._pending = pending

    async def start(self, execution: Object, action: StartAttempt, status: ExecutionStatus) -> None:
        """Let there be one Job for this attempt, now or when the turn of one more of its namespace
        has come: then the execution is reconciled. Raises ``Again`` once its end is known instead,
        and what may pass (``ApiError``, ``StorageUnavailable``)."""
        seen = self._attempts.attempt(execution["metadata"]["uid"], action.key)
        if seen.job is not None or seen.outcome is not None or self._logs.hold(execution, action):
            return
        if self._jobs.is_waiting(execution, name_of(execution, action)):
            return
        seen.outcome = await self._task_cache.find(execution, status, action)
        if seen.outcome is None:
            seen.outcome = await self._run(execution, action, status)
        if seen.outcome is not None:
            raise Again

    async def _run(
        self, execution: Object, action: StartAttempt, status: ExecutionStatus
    ) -> Observation | None:
        """Let the attempt run. Returns its end where it can't."""
        try:
            made = self._job_factory.of(execution, action, status, self._directories.is_wanted)
        except (TaskFailure, StorageError, ValueError) as error:
            if isinstance(error, StorageUnavailable) and self._may_wait(action):
                raise
            return failed("InvalidTask", action.secrets.told(str(error)))
        if isinstance(made, AddedContainers):
            # No Job follows: its creation is not late.
            self._attempts.take_edge(execution["metadata"]["uid"])
            return await self._enter(execution, action, made)
        return await self._create(execution, action, made)

    async def _create(
        self, execution: Object, action: StartAttempt, objects: JobObjects
    ) -> Observation | None:
        """Let the attempt have a Job of its own."""
        try:
            await self._jobs.create(execution, objects)
            return None
        except NoRoom:
            return None
        except (NameTaken, JobNameTaken) as error:
            return failed(error.reason, f"the Job was refused: {error}")
        except ApiError as error:
            reason = error.reason
            if is_over_quota(error):
                if self._pending.may_wait(objects.job, action.attempt.created_date):
                    raise
                reason = "QuotaExceeded"
            if is_passing(error) or is_terminating(error):
                raise
            return failed(reason, f"the Job was refused: {error}")

    async def _enter(
        self, execution: Object, action: StartAttempt, added: AddedContainers
    ) -> Observation | None:
        """Let the attempt be in its directory's pod."""
        try:
            return await self._directories.enter(execution, action, added)
        except ApiError as error:
            if is_passing(error):
                raise
            return failed(error.reason, f"the task was refused in its directory's pod: {error}")

    def _may_wait(self, action: StartAttempt) -> bool:
        """Tell whether what an attempt needs may still come."""
        waited = datetime.now(UTC) - action.attempt.created_date
        return waited.total_seconds() < self._pending.limit
