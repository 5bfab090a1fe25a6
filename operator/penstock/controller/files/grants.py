"""The grants of pods that have to do with files: who each is, and what it may do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from penstock.controller.files.storage_access import StorageAccess
from penstock.controller.files.tenant_folders import TenantFolders
from penstock.engine.interface.actions import StartAttempt
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.pods.files_sidecar import PodStorage, rights
from penstock.resources.execution import ExecutionStatus
from penstock.storage.grants import Grant
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.task import Container

_LONGEST = timedelta(days=30)
"""For how long the grant of a task without a timeout counts, if its Job is there that long."""

Parents = Callable[[Object], tuple[ExecutionPlace, ...]]
"""The executions whose files an execution may read, besides its own."""


class Grants:
    """Makes them. A grant is the same whenever it is asked for: the Job's spec has it."""

    def __init__(
        self,
        access: StorageAccess,
        folders: TenantFolders,
        parents: Parents,
        waiting: timedelta,
    ) -> None:
        self._access = access
        self._folders = folders
        self._parents = parents
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
        folder of the namespace is claimed.
        """
        meta = execution["metadata"]
        self._folders.check(meta["namespace"])
        place = place_in(execution, status)
        grant = Grant(
            tenant=meta["namespace"],
            place=place,
            owner=meta["uid"],
            task=start.task_run.task_id,
            task_run=start.task_run.id,
            job=job,
            expires=self._expires(start),
            parents=self._parents(execution),
            rights=rights(start, container),
        )
        return PodStorage(place, self._access.environment(grant))

    def _expires(self, start: StartAttempt) -> datetime:
        longest = _LONGEST if start.timeout is None else min(start.timeout, _LONGEST)
        return start.attempt.created_date + self._waiting + longest


def place_in(execution: Object, status: ExecutionStatus) -> ExecutionPlace:
    """Where the files of an execution lie that has begun."""
    assert status.flow is not None
    return ExecutionPlace(status.flow.namespace, status.flow.id, execution["metadata"]["name"])
