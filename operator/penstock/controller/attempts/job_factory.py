"""What is to be made for an attempt: a Job, or containers in the pod of a WorkingDirectory.

Nothing is made here, and the answer is the same whenever it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.attempts.task_cache import CachedTasks
from penstock.controller.files.grants import Grants
from penstock.controller.keyvalues.task_effects import TaskEffects
from penstock.engine.interface.actions import StartAttempt, Workspace
from penstock.engine.kinds.flowables.working_directory import WorkingDirectory
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.jobs.job import JobDefaults, JobObjects, Owner, build_job, job_name
from penstock.kubernetes.jobs.working_directory import (
    Guest,
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
    """Of all attempts."""

    def __init__(
        self,
        defaults: JobDefaults,
        secrets: SecretLocations,
        pairs: TaskEffects,
        grants: Grants,
        spared: CachedTasks,
    ) -> None:
        self._defaults = defaults
        self._secrets = secrets
        self._pairs = pairs
        self._grants = grants
        self._spared = spared

    def of(
        self,
        execution: Object,
        action: StartAttempt,
        status: ExecutionStatus,
        is_wanted: Callable[[Object, Workspace], bool],
    ) -> JobObjects | Guest:
        """The Job to make, or what is to be added to the pod of a WorkingDirectory.

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
        self._spared.mark(objects.job, action)
        return objects

    def _directory(
        self,
        execution: Object,
        action: StartAttempt,
        workspace: Workspace,
        status: ExecutionStatus,
        asked: Sharing,
    ) -> JobObjects:
        """The Job in whose pod the attempt is to run, and those that follow it."""
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
        """What an attempt runs. Raises ``TaskFailure``."""
        if isinstance(action.task, WorkingDirectory):
            return CLOSING
        assert status.flow is not None
        around = self._pairs.around(execution, status.flow, action)
        return container(action.task.type, action.properties, around)


def name_of(execution: Object, action: StartAttempt) -> str:
    """The name of the Job in whose pod an attempt is to run."""
    if action.workspace is not None and shared_by(action.workspace) is not None:
        return directory_name(execution, action.workspace)
    return own_name(execution, action.task_run, action.attempt)


def own_name(execution: Object, run: TaskRun, attempt: Attempt) -> str:
    """The name of the Job of an attempt that has one of its own."""
    meta = execution["metadata"]
    return job_name(meta["name"], meta["uid"], run.task_id, run.id, attempt.number)


def _owner(execution: Object) -> Owner:
    meta = execution["metadata"]
    return Owner(meta["name"], meta["namespace"], meta["uid"])
