"""Histories: an Execution as the triggers of other flows see it, with its outputs, also those that
are kept beside its status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from penstock.cluster.executions import whole_status
from penstock.controller.flows.revisions import RevisionLost, Revisions
from penstock.controller.runtime.indexes import version_of
from penstock.controller.triggers.listeners import flow_of
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.tree import FlowTree
from penstock.kubernetes.api.client import Api, Object
from penstock.kubernetes.api.configmap_store import KeptError
from penstock.kubernetes.status.large_outputs import OutputsKeeper
from penstock.kubernetes.status.task_run_archive import TaskRunArchive
from penstock.resources.execution import ExecutionStatus, Transition
from penstock.triggers.evaluation import Upstream

_REMEMBERED = 200
"""Executions that are kept as they were read: several triggers look at the same one."""


@dataclass(frozen=True)
class _Read:
    status: ExecutionStatus
    task_outputs: dict[str, Any]


class Histories:
    """Reads Executions for triggers."""

    def __init__(self, api: Api, revisions: Revisions) -> None:
        self._archive = TaskRunArchive(api)
        self._outputs = OutputsKeeper(api)
        self._revisions = revisions
        self._read: LRUCache[tuple[str, int], _Read] = LRUCache(_REMEMBERED)

    async def event(self, execution: Object, step: Transition) -> Upstream:
        """Give the event that an Execution, which has begun, came into a state. Outputs that are
        lost are left out."""
        key = execution["metadata"]["uid"], version_of(execution)
        read = self._read.get(key)
        if read is None:
            read = self._read[key] = await self._whole(execution)
        flow = flow_of(execution)
        assert flow is not None
        name = execution["metadata"]["name"]
        return Upstream.of(name, flow, read.status, step, read.task_outputs)

    async def _whole(self, execution: Object) -> _Read:
        try:
            status, _ = await whole_status(execution, self._archive, self._outputs)
        except KeptError:
            status = ExecutionStatus.from_json(execution["status"])
        return _Read(status, await self._task_outputs(execution, status))

    async def _task_outputs(self, execution: Object, status: ExecutionStatus) -> dict[str, Any]:
        assert status.flow is not None
        try:
            engine = await self._revisions.pinned(execution["metadata"]["namespace"], status.flow)
        except RevisionLost:
            return {}
        return TaskRunIndex(status.task_runs, FlowTree(engine.flow).traits).visible_outputs()
