"""The statuses of executions as they were last written, with their large outputs beside them."""

from __future__ import annotations

from dataclasses import dataclass

from cachetools import LRUCache

from penstock.cluster.executions import whole_status
from penstock.controller.runtime.indexes import ObjectStore, has_ended, version_of
from penstock.controller.runtime.status_writer import write_status
from penstock.engine.interface.actions import ChildSeen
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.kubernetes.api.configmap_store import ValueLost
from penstock.kubernetes.status.large_outputs import OutputsKeeper
from penstock.kubernetes.status.task_run_archive import TaskRunArchive
from penstock.resources.execution import ExecutionStatus, State

_SEEN = 1_000
"""Executions that others look at; those with large outputs are read each time."""


@dataclass
class Memory:
    """A status and the version of the object in which it stands."""

    version: int
    status: ExecutionStatus
    unsaved_since: float | None = None


class StatusStore:
    """Reads and writes the statuses of executions."""

    def __init__(
        self, api: Api, executions: ObjectStore, outputs: OutputsKeeper, archive: TaskRunArchive
    ) -> None:
        self._api = api
        self._executions = executions
        self._outputs = outputs
        self._archive = archive
        self._memory: dict[str, Memory] = {}
        self._seen: LRUCache[str, tuple[int, ChildSeen]] = LRUCache(_SEEN)

    async def recall(self, body: Object) -> Memory | None:
        """The status to continue from; None for an execution that has not begun. Raises
        ``ValueLost`` where a part of it is gone."""
        uid, version = body["metadata"]["uid"], version_of(body)
        memory = self._memory.get(uid)
        if memory is not None and memory.version >= version:
            return memory
        raw = body.get("status") or {}
        if not raw.get("state"):
            return None
        status, archived = await self._fetch(body)
        self._archive.remember(body, status, archived)
        memory = Memory(version, status)
        self._memory[uid] = memory
        return memory

    async def read(self, body: Object) -> ExecutionStatus | None:
        """The status of an execution, for another one that asks about it; nothing is remembered."""
        memory = self._memory.get(body["metadata"]["uid"])
        if memory is not None and memory.version >= version_of(body):
            return memory.status
        begun = (body.get("status") or {}).get("state")
        return await self._with_outputs(body) if begun else None

    async def write(
        self, body: Object, status: ExecutionStatus, before: ExecutionStatus | None
    ) -> ExecutionStatus:
        """Replace the status; what is too large for it goes into ConfigMaps first."""
        status = await self._outputs.put_away(body, status, before)
        written = await self._archive.put_away(body, status)
        try:
            answer = await write_status(self._api, EXECUTIONS, self._executions, body, written)
        except ApiError as error:
            if error.is_gone:
                self._executions.remove(body)
            raise
        self._memory[body["metadata"]["uid"]] = Memory(version_of(answer), status)
        return status

    async def look(self, body: Object) -> ChildSeen:
        """What another execution sees of this one. The large outputs are there at its end."""
        uid, version = body["metadata"]["uid"], version_of(body)
        memory = self._memory.get(uid)
        if memory is not None and memory.version >= version:
            return ChildSeen(memory.status)
        known = self._seen.get(uid)
        if known is not None and known[0] == version:
            return known[1]
        if has_ended(body):
            try:
                seen = ChildSeen(await self._with_outputs(body))
            except ValueLost as error:
                seen = ChildSeen(_without_outputs(body, str(error)))
        else:
            seen = ChildSeen(ExecutionStatus.from_json(body.get("status") or {}))
        if all(run.outputs_ref is None for run in seen.status.task_runs):
            self._seen[uid] = (version, seen)
        return seen

    def forget(self, body: Object) -> None:
        self._memory.pop(body["metadata"]["uid"], None)
        self._archive.forget(body)

    async def _with_outputs(self, body: Object) -> ExecutionStatus:
        status, _ = await self._fetch(body)
        return status

    async def _fetch(self, body: Object) -> tuple[ExecutionStatus, frozenset[str]]:
        """The status with all that is kept beside it, and what of it was put away."""
        return await whole_status(body, self._archive, self._outputs)


def _without_outputs(body: Object, message: str) -> ExecutionStatus:
    status = ExecutionStatus.from_json(body.get("status") or {})
    return status.model_copy(
        update={"state": State.FAILED, "message": f"its outputs are gone: {message}"}
    )
