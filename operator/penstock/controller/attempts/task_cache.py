"""Attempts that need not run: their task has a cache, and ran with the same properties before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from penstock.controller.files.grants import place_in
from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.api.labels import TASK_CACHE
from penstock.resources.execution import ExecutionStatus, State, TaskRun
from penstock.storage.errors import StorageError
from penstock.storage.files import Storage
from penstock.storage.task_cache import TaskCaches, Use, digest_of

logger = logging.getLogger(__name__)


class CachedTasks:
    """Finds and keeps the outputs of such tasks. A storage that fails costs a run and no more."""

    def __init__(self, storage: Callable[[str], Storage]) -> None:
        """``storage`` gives the storage of a tenant."""
        self._storage = storage

    async def find(
        self, execution: Object, status: ExecutionStatus, action: StartAttempt
    ) -> Observation | None:
        """Find the end that an earlier run gives this attempt; None where it has to run."""
        if action.cache is None:
            return None
        run, began = action.task_run, datetime.now(UTC)
        digest = digest_of(action.task.type, action.properties)
        use = Use(place_in(execution, status), run.task_id, run.id, digest)
        try:
            outputs = await asyncio.to_thread(
                self._caches(execution).find, use, action.cache.ttl, began
            )
        except (StorageError, OSError) as error:
            logger.warning("the cache of task %s can't be read: %s", run.task_id, error)
            return None
        if outputs is None:
            return None
        return Observation(State.SUCCESS, began, datetime.now(UTC), outputs=outputs)

    def mark(self, job: Object, action: StartAttempt) -> None:
        """Let the Job of an attempt say under what its outputs are to be kept: whoever sees its
        end may not know its properties any more.
        """
        if action.cache is not None:
            digest = digest_of(action.task.type, action.properties)
            job["metadata"]["annotations"][TASK_CACHE] = digest

    async def keep(
        self,
        execution: Object,
        status: ExecutionStatus,
        run: TaskRun,
        digest: str,
        success: Observation,
    ) -> None:
        """Keep the outputs of an attempt that succeeded with properties of that digest."""
        use = Use(place_in(execution, status), run.task_id, run.id, digest)
        try:
            now = datetime.now(UTC)
            await asyncio.to_thread(self._caches(execution).keep, use, success.outputs, now)
        except (StorageError, OSError) as error:
            logger.warning("the outputs of task %s can't be kept: %s", run.task_id, error)

    def _caches(self, execution: Object) -> TaskCaches:
        return TaskCaches(self._storage(execution["metadata"]["namespace"]))


def digest_in(job: Object | None) -> str | None:
    """Read from the Job of an attempt under what its outputs are to be kept; None where they are
    not."""
    annotations = (job or {}).get("metadata", {}).get("annotations") or {}
    return annotations.get(TASK_CACHE) or None
