"""What is to be made for an attempt: a Job, or containers in the pod of a WorkingDirectory.

Nothing is made here, and the answer is the same whenever it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.attempts.task_cache import CachedTasks
from penstock.controller.files.grants import Grants
from penstock.controller.keyvalues.task_effects import TaskEffects
from penstock.engine.interface.actions import AttemptKey, StartAttempt, Step, Workspace
from penstock.engine.kinds.flowables.working_directory import WorkingDirectory
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.jobs.job import JobDefaults, JobObjects, Owner, build_job, job_name
from penstock.kubernetes.jobs.working_directory import (
    AddedContainers,
    build_directory,
    directory_name,
    fold,
    name_in_directory,
    shared_by,
)
from penstock.kubernetes.jobs.working_directory import needs_storage as needs_files
from penstock.kubernetes.pods.files_sidecar import CLOSING, PodStorage, needs_storage, wants_storage
from penstock.resources.execution import Attempt, ExecutionStatus, TaskRun
from penstock.storage.errors import StorageUnavailable
from penstock.tasks.contract.pod_folders import OWN, Paths
from penstock.tasks.contract.task import Container
from penstock.tasks.registry.definitions import container
from penstock.tasks.registry.shared_pod import Sharing


class JobFactory:
    """Builds what attempts run in."""

    def __init__(
        self,
        defaults: JobDefaults,
        secrets: SecretLocations,
        task_effects: TaskEffects,
        grants: Grants,
        task_cache: CachedTasks,
    ) -> None:
        self._defaults = defaults
        self._secrets = secrets
        self._task_effects = task_effects
        self._grants = grants
        self._task_cache = task_cache

    def of(
        self,
        execution: Object,
        action: StartAttempt,
        status: ExecutionStatus,
        is_wanted: Callable[[Object, Workspace], bool],
    ) -> JobObjects | AddedContainers:
        """Build the Job of an attempt, or what is to be added to the pod of its WorkingDirectory.

        ``is_wanted`` tells whether the Job of a WorkingDirectory is still to be made. Raises
        ``TaskFailure``, ``StorageError``, and ``ValueError`` for what is no quantity.
        """
        asked = shared_by(action.workspace)
        if asked is None or action.workspace is None:
            return self._job(execution, action, status, OWN)
        if is_wanted(execution, action.workspace):
            return self._directory(execution, action, action.workspace, status, asked)
        paths = Paths(name_in_directory(action))
        return fold(self._job(execution, action, status, paths), action)

    def _job(
        self, execution: Object, action: StartAttempt, status: ExecutionStatus, paths: Paths
    ) -> JobObjects:
        what = self._container(execution, action, status)
        storage = None
        if wants_storage(action, what, paths):
            try:
                storage = self._storage(execution, action, status, what)
            except StorageUnavailable:
                if needs_storage(action, what, paths):
                    raise
        places = self._secrets.of(execution) if action.secrets else None
        owner = _owner(execution)
        objects = build_job(action, owner, what, self._defaults, storage, places, paths)
        self._task_cache.mark(objects.job, action)
        return objects

    def _directory(
        self,
        execution: Object,
        action: StartAttempt,
        workspace: Workspace,
        status: ExecutionStatus,
        asked: Sharing,
    ) -> JobObjects:
        """Build the Job in whose pod the attempt is to run, and those that follow it."""
        storage = None
        if needs_files(workspace):
            storage = self._storage(execution, action, status, CLOSING)
        owner, places = _owner(execution), self._secrets.of(execution)
        secrets = action.secrets
        return build_directory(workspace, asked, owner, self._defaults, storage, secrets, places)

    def _storage(
        self, execution: Object, action: StartAttempt, status: ExecutionStatus, what: Container
    ) -> PodStorage:
        name = name_of(execution, action)
        return self._grants.storage(execution, status, action, name, what)

    def _container(
        self, execution: Object, action: StartAttempt, status: ExecutionStatus
    ) -> Container:
        """Build the container that an attempt runs. Raises ``TaskFailure``."""
        if isinstance(action.task, WorkingDirectory):
            return CLOSING
        assert status.flow is not None
        around = self._task_effects.around(execution, status.flow, action)
        return container(action.task.type, action.properties, around)


def name_of(execution: Object, action: StartAttempt) -> str:
    """Name the Job in whose pod an attempt is to run."""
    if action.workspace is not None and shared_by(action.workspace) is not None:
        return directory_name(execution, action.workspace)
    return own_name(execution, action.task_run, action.attempt)


def own_name(execution: Object, run: TaskRun, attempt: Attempt) -> str:
    """Name the Job of an attempt that has one of its own."""
    meta = execution["metadata"]
    return job_name(meta["name"], meta["uid"], run.task_id, run.id, attempt.number)


def with_job_names(execution: Object, step: Step) -> Step:
    """Write into the status of a step the names of the Jobs that its actions ask for."""
    starts = {action.key: action for action in step.actions if isinstance(action, StartAttempt)}
    if not starts:
        return step
    runs = [_with_job_name(execution, run, starts) for run in step.status.task_runs]
    return replace(step, status=step.status.model_copy(update={"task_runs": runs}))


def _with_job_name(
    execution: Object, run: TaskRun, starts: Mapping[AttemptKey, StartAttempt]
) -> TaskRun:
    last = run.attempts[-1] if run.attempts else None
    start = None if last is None else starts.get((run.id, last.number))
    if last is None or start is None or last.job is not None:
        return run
    named = last.model_copy(update={"job": name_of(execution, start)})
    return run.model_copy(update={"attempts": [*run.attempts[:-1], named]})


def _owner(execution: Object) -> Owner:
    meta = execution["metadata"]
    return Owner(meta["name"], meta["namespace"], meta["uid"])
