"""The grants of pods that have to do with files: who each is, and what it may do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from penstock.controller.files.access import FileAccess
from penstock.controller.files.storage_access import StorageAccess
from penstock.controller.files.tenant_folders import TenantFolders
from penstock.engine.interface.actions import StartAttempt
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.pods.files_sidecar import PodStorage, rights
from penstock.resources.execution import ExecutionStatus
from penstock.storage.grants import Grant, marks_of
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.task import Container

_LONGEST = timedelta(days=30)
"""How long the grant of a task without a timeout counts, if its Job is there for that time."""


class Grants:
    """Makes them. A grant is the same whenever it is asked for, as long as the executions are that
    its files come from."""

    def __init__(
        self,
        storage: StorageAccess,
        folders: TenantFolders,
        access: FileAccess,
        waiting: timedelta,
    ) -> None:
        self._storage = storage
        self._folders = folders
        self._access = access
        self._waiting = waiting

    def storage(
        self,
        execution: Object,
        status: ExecutionStatus,
        start: StartAttempt,
        job: str,
        container: Container,
    ) -> PodStorage:
        """How the pod of an attempt reaches the storage. Raises
        :class:`~penstock.storage.errors.StorageUnavailable` until the service is there, and the
        folder of the namespace is claimed, and ``StorageError`` where the task names too many files
        of other executions.
        """
        meta = execution["metadata"]
        self._folders.check(meta["namespace"])
        place, parents = place_in(execution, status), self._access.parents(execution)
        grant = Grant(
            tenant=meta["namespace"],
            place=place,
            owner=meta["uid"],
            task=start.task_run.task_id,
            task_run=start.task_run.id,
            job=job,
            expires=self._expires(start),
            parents=parents,
            rights=rights(start, container),
            namespace=self._folders.uid(meta["namespace"]),
            handed=marks_of(self._access.handed(execution, parents, _texts(start))),
        )
        return PodStorage(place, self._storage.environment(grant))

    def _expires(self, start: StartAttempt) -> datetime:
        longest = _LONGEST if start.timeout is None else min(start.timeout, _LONGEST)
        return start.attempt.created_date + self._waiting + longest


def _texts(start: StartAttempt) -> list[Any]:
    """All that an attempt is told, in which files may be named."""
    return [start.properties, None if start.workspace is None else start.workspace.properties]


def place_in(execution: Object, status: ExecutionStatus) -> ExecutionPlace:
    """Where the files of an execution lie that has begun."""
    assert status.flow is not None
    return ExecutionPlace(status.flow.namespace, status.flow.id, execution["metadata"]["name"])
