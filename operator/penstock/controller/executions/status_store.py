"""The statuses of executions as they were last written, with their large outputs beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

from cachetools import LRUCache

from penstock.cluster.executions import whole_status
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore, has_ended, version_of
from penstock.controller.runtime.outcomes import is_gone
from penstock.controller.runtime.status_writer import write_status
from penstock.engine.interface.actions import ChildSeen
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.kubernetes.api.configmap_store import ValueLost
from penstock.kubernetes.status.large_outputs import OutputsKeeper
from penstock.kubernetes.status.task_run_archive import Archived, TaskRunArchive
from penstock.resources.execution import ExecutionStatus, State

_SEEN = 1_000
"""Executions that others look at; those with large outputs are read each time."""


@dataclass
class LastStatus:
    """A status, and the version of the object in which it stands."""

    version: int
    status: ExecutionStatus
    unsaved_since: float | None = None
    """Since when there is news that is not written yet, by the monotonic clock."""


@dataclass
class _Statuses:
    """What was last written of one execution: a slot of its memory."""

    last: LastStatus | None = None
    archived: Archived = field(default_factory=Archived)


class StatusStore:
    """Reads and writes the statuses of executions."""

    def __init__(
        self,
        api: Api,
        executions: ObjectStore,
        memories: ExecutionMemories,
        outputs: OutputsKeeper,
        archive: TaskRunArchive,
    ) -> None:
        self._api = api
        self._executions = executions
        self._memories = memories
        self._outputs = outputs
        self._archive = archive
        self._seen: LRUCache[str, tuple[int, ChildSeen]] = LRUCache(_SEEN)

    async def recall(self, execution: Object) -> LastStatus | None:
        """Return the status to continue from; None for an execution that has not begun. Raises
        ``ValueLost`` where a part of it is gone."""
        if (last := self._last(execution)) is not None:
            return last
        if not (execution.get("status") or {}).get("state"):
            return None
        status, archived = await self._fetch(execution)
        memory = self._memories.of(execution["metadata"]["uid"], _Statuses)
        memory.archived = Archived.of(status, archived)
        memory.last = LastStatus(version_of(execution), status)
        return memory.last

    async def read(self, execution: Object) -> ExecutionStatus | None:
        """Return the status of an execution, for another one that asks about it; nothing is
        remembered."""
        if (last := self._last(execution)) is not None:
            return last.status
        begun = (execution.get("status") or {}).get("state")
        return await self._with_outputs(execution) if begun else None

    async def write(
        self, execution: Object, status: ExecutionStatus, before: ExecutionStatus | None
    ) -> ExecutionStatus:
        """Replace the status; what is too large for it goes into ConfigMaps first."""
        memory = self._memories.of(execution["metadata"]["uid"], _Statuses)
        status = await self._outputs.put_away(execution, status, before)
        written = await self._archive.put_away(execution, status, memory.archived)
        try:
            answer = await write_status(self._api, EXECUTIONS, self._executions, execution, written)
        except ApiError as error:
            if is_gone(error):
                self._executions.remove(execution)
            raise
        memory.last = LastStatus(version_of(answer), status)
        return status

    async def look(self, execution: Object) -> ChildSeen:
        """Return what another execution sees of this one. The large outputs are there at its
        end."""
        if (last := self._last(execution)) is not None:
            return ChildSeen(last.status)
        uid, version = execution["metadata"]["uid"], version_of(execution)
        seen_before = self._seen.get(uid)
        if seen_before is not None and seen_before[0] == version:
            return seen_before[1]
        if has_ended(execution):
            try:
                seen = ChildSeen(await self._with_outputs(execution))
            except ValueLost as error:
                seen = ChildSeen(_without_outputs(execution, str(error)))
        else:
            seen = ChildSeen(ExecutionStatus.from_json(execution.get("status") or {}))
        if all(run.outputs_ref is None for run in seen.status.task_runs):
            self._seen[uid] = (version, seen)
        return seen

    def _last(self, execution: Object) -> LastStatus | None:
        """Return what is remembered, unless the object is newer."""
        memory = self._memories.look(execution["metadata"]["uid"], _Statuses)
        last = None if memory is None else memory.last
        return None if last is None or last.version < version_of(execution) else last

    async def _with_outputs(self, execution: Object) -> ExecutionStatus:
        status, _ = await self._fetch(execution)
        return status

    async def _fetch(self, execution: Object) -> tuple[ExecutionStatus, frozenset[str]]:
        """Read the status with all that is kept beside it, and the ids of the task runs that were
        put away."""
        return await whole_status(execution, self._archive, self._outputs)


def _without_outputs(execution: Object, message: str) -> ExecutionStatus:
    status = ExecutionStatus.from_json(execution.get("status") or {})
    return status.model_copy(
        update={"state": State.FAILED, "message": f"its outputs are gone: {message}"}
    )
