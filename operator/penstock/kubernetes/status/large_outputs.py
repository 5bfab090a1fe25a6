"""Outputs that are too large for an Execution's status: kept in ConfigMaps that it owns.

The ConfigMap is written before the status that refers to it, so a reference never dangles. Text is
compressed: a ConfigMap holds 1 MiB, and so may the outputs of one task.
"""

from __future__ import annotations

from typing import Any

from cachetools import LRUCache

from penstock.kubernetes.api.client import Api, Object
from penstock.kubernetes.api.configmap_store import digest, encode, fetch, keep, kept_name
from penstock.kubernetes.api.labels import TASK_RUN
from penstock.resources.execution import ExecutionStatus, OutputsReference, TaskRun

INLINE_BYTES = 2_048
"""The most bytes of a task run's outputs that stand in the status."""
INLINE_TOTAL = 262_144
"""The most bytes of all outputs that stand in one status, well below what one object may hold."""
_KEY = "outputs.json.gz"
_CACHED = 64


class OutputsKeeper:
    """Moves large outputs out of statuses, and back in."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._cache: LRUCache[str, dict[str, Any]] = LRUCache(_CACHED)

    async def put_away(
        self,
        execution: Object,
        status: ExecutionStatus,
        before: ExecutionStatus | None = None,
    ) -> ExecutionStatus:
        """The status with a reference for every large output; the outputs themselves stay in it
        too.

        `before` is the status as it was last written: outputs that have a reference there and did
        not change are left alone.
        """
        known = {} if before is None else {run.id: run.outputs for run in before.task_runs}
        total = 0
        runs: list[TaskRun] = []
        changed = False
        for run in status.task_runs:
            is_kept = run.outputs_ref is not None
            if is_kept and run.id in known and known[run.id] != run.outputs:
                run = run.model_copy(update={"outputs_ref": None})
                changed = True
            if run.outputs is not None and run.outputs_ref is None:
                size = len(encode(run.outputs))
                if size > INLINE_BYTES or total + size > INLINE_TOTAL:
                    reference = await self._keep(execution, run)
                    run = run.model_copy(update={"outputs_ref": reference})
                    changed = True
                else:
                    total += size
            runs.append(run)
        return status.model_copy(update={"task_runs": runs}) if changed else status

    async def fetch(self, namespace: str, status: ExecutionStatus) -> ExecutionStatus:
        """The status with all outputs read to which it refers."""
        runs = [await self._with_outputs(namespace, run) for run in status.task_runs]
        return status.model_copy(update={"task_runs": runs})

    async def _with_outputs(self, namespace: str, run: TaskRun) -> TaskRun:
        reference = run.outputs_ref
        if reference is None or run.outputs is not None:
            return run
        outputs = self._cache.get(reference.sha256)
        if outputs is None:
            what = f"outputs of the task `{run.task_id}`"
            outputs = await fetch(self._api, namespace, reference, what)
            self._cache[reference.sha256] = outputs
        return run.model_copy(update={"outputs": outputs})

    async def _keep(self, execution: Object, run: TaskRun) -> OutputsReference:
        """Write the outputs, never over those to which the stored status still refers."""
        text = encode(run.outputs)
        sha256 = digest(text)
        name = kept_name(execution, f"outputs-{run.id}", sha256)
        reference = OutputsReference(config_map=name, key=_KEY, bytes=len(text), sha256=sha256)
        await keep(self._api, execution, reference, text, {TASK_RUN: run.id})
        self._cache[sha256] = run.outputs or {}
        return reference


def without_large_outputs(status: ExecutionStatus) -> dict[str, Any]:
    """The status as it is written: without the outputs that have a reference."""
    written = status.to_json()
    for run in written.get("taskRuns", []):
        if "outputsRef" in run:
            run.pop("outputs", None)
    return written
