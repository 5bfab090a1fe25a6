"""Keeps ended task runs that would make an Execution's status too large in ConfigMaps.

In memory a status always has all its task runs. The written status has those that are open, those
that ended last, and for the others how many ended in which state and in which ConfigMap they are.

A ConfigMap is written before the status that refers to it, and never changed: where task runs that
were put away have changed, as after a restart, all of them are put away anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from penstock.kubernetes.api.client import Api, Object
from penstock.kubernetes.api.configmap_store import digest, encode, fetch, keep, kept_name
from penstock.kubernetes.status.large_outputs import without_large_outputs
from penstock.resources.execution import (
    ArchiveReference,
    ExecutionStatus,
    OutputsReference,
    TaskRun,
)

BUDGET = 256 * 1024
"""The most bytes of JSON that a written status may have. etcd refuses objects of 1.5 MiB, and every
write of a status carries all of it."""
_CHUNK = 600 * 1024
"""The most bytes of JSON in one ConfigMap; it is compressed, so well below the limit of 1 MiB."""
_KEY = "task-runs.json.gz"
_VALUES_KEY = "values.json.gz"
_INLINE_VALUES = 8 * 1024
"""The most bytes of one loop's values that stand in the status."""


@dataclass
class Archived:
    """The parts of one execution's status that were put away. Whoever writes the status keeps them
    from one write to the next."""

    references: list[ArchiveReference] = field(default_factory=list)
    runs: dict[str, TaskRun] = field(default_factory=dict)
    values: dict[str, OutputsReference] = field(default_factory=dict)
    """The references to the values of loops that have many, by the id of the task run."""

    @classmethod
    def of(cls, status: ExecutionStatus, archived: Set[str]) -> Archived:
        """Go on from a status that was fetched, with all that belongs to its task runs, of which
        some, by their ids, were put away."""
        return cls(
            references=list(status.archive),
            runs={run.id: run for run in status.task_runs if run.id in archived},
            values={run.id: run.values_ref for run in status.task_runs if run.values_ref},
        )


class TaskRunArchive:
    """Moves ended task runs out of statuses, and back in."""

    def __init__(self, api: Api, budget: int = BUDGET) -> None:
        self._api = api
        self._budget = budget

    async def put_away(
        self, execution: Object, status: ExecutionStatus, archive: Archived
    ) -> dict[str, Any]:
        """The status as it is to be written, within the budget."""
        kept = _not_archived(archive, status.task_runs)
        if kept is None:
            archive.references.clear()
            archive.runs.clear()
            kept = list(enumerate(status.task_runs))
        await self._put_values_away(execution, archive, [run for _, run in kept])
        written = _written(status, archive, kept)
        excess = _size(written) - self._budget
        if excess > 0:
            kept = await self._move(execution, archive, kept, excess + self._budget // 2)
            written = _written(status, archive, kept)
        return written

    async def fetch(
        self, execution: Object, status: ExecutionStatus
    ) -> tuple[ExecutionStatus, frozenset[str]]:
        """The status with all its task runs, and the ids of those that were put away."""
        namespace = execution["metadata"]["namespace"]
        runs = [await self._with_values(namespace, run) for run in status.task_runs]
        placed: dict[int, TaskRun] = {}
        for reference in status.archive:
            what = f"{reference.task_runs} of its task runs"
            placed |= dict(_read(await fetch(self._api, namespace, reference, what)))
        merged = _merged(placed, runs)
        ids = frozenset(run.id for run in placed.values())
        return status.model_copy(update={"task_runs": merged}), ids

    async def _put_values_away(
        self, execution: Object, archive: Archived, runs: Iterable[TaskRun]
    ) -> None:
        """Put away the values of loops that have many; they are fixed when the loop opens."""
        for run in runs:
            if run.values is None or run.id in archive.values:
                continue
            text = encode(run.values)
            if len(text) <= _INLINE_VALUES:
                continue
            sha256 = digest(text)
            name = kept_name(execution, f"values-{run.id}", sha256)
            reference = OutputsReference(
                config_map=name, key=_VALUES_KEY, bytes=len(text), sha256=sha256
            )
            await keep(self._api, execution, reference, text)
            archive.values[run.id] = reference

    async def _with_values(self, namespace: str, run: TaskRun) -> TaskRun:
        if run.values_ref is None:
            return run
        what = f"the values of the loop `{run.task_id}`"
        values = await fetch(self._api, namespace, run.values_ref, what)
        return run.model_copy(update={"values": values})

    async def _move(
        self,
        execution: Object,
        archive: Archived,
        kept: list[tuple[int, TaskRun]],
        wanted: int,
    ) -> list[tuple[int, TaskRun]]:
        """Put away ended task runs of ``wanted`` bytes, the oldest and innermost first. Gives those
        that stay."""
        moved: dict[int, TaskRun] = {}
        freed = 0
        entries: list[tuple[int, TaskRun, dict[str, Any]]] = []
        for position, run in sorted(kept, key=lambda item: (item[1].parent is None, item[0])):
            if freed >= wanted:
                break
            if run.state.terminated:
                value = _run_json(run)
                freed += _size(value)
                moved[position] = run
                entries.append((position, run, value))
        for chunk in _chunks(entries):
            reference = await self._write(execution, chunk)
            archive.references.append(reference)
            archive.runs |= {run.id: run for _, run, _ in chunk}
        return [item for item in kept if item[0] not in moved]

    async def _write(
        self, execution: Object, chunk: Sequence[tuple[int, TaskRun, dict[str, Any]]]
    ) -> ArchiveReference:
        text = encode([[position, value] for position, _, value in chunk])
        sha256 = digest(text)
        reference = ArchiveReference(
            config_map=kept_name(execution, "runs", sha256),
            key=_KEY,
            bytes=len(text),
            sha256=sha256,
            task_runs=len(chunk),
            states=dict(Counter(str(run.state) for _, run, _ in chunk)),
        )
        await keep(self._api, execution, reference, text)
        return reference


def _not_archived(
    archive: Archived, task_runs: Sequence[TaskRun]
) -> list[tuple[int, TaskRun]] | None:
    """The task runs that are not put away, with their positions; None where one that is has
    changed."""
    if not archive.runs:
        return list(enumerate(task_runs))
    kept = []
    found = 0
    for position, run in enumerate(task_runs):
        known = archive.runs.get(run.id)
        if known is None:
            kept.append((position, run))
        elif known is run or known == run:
            found += 1
        else:
            return None
    return kept if found == len(archive.runs) else None


def _written(
    status: ExecutionStatus, archive: Archived, kept: Iterable[tuple[int, TaskRun]]
) -> dict[str, Any]:
    changes = {"task_runs": [run for _, run in kept], "archive": list(archive.references)}
    written = without_large_outputs(status.model_copy(update=changes))
    for run in written.get("taskRuns", []):
        if run["id"] in archive.values:
            del run["values"]
            run["valuesRef"] = archive.values[run["id"]].model_dump(by_alias=True)
    return written


def _run_json(run: TaskRun) -> dict[str, Any]:
    value = run.model_dump(mode="json", by_alias=True, exclude_none=True)
    if run.outputs_ref is not None:
        value.pop("outputs", None)
    return value


def _chunks(
    entries: Iterable[tuple[int, TaskRun, dict[str, Any]]],
) -> Iterator[list[tuple[int, TaskRun, dict[str, Any]]]]:
    chunk: list[tuple[int, TaskRun, dict[str, Any]]] = []
    size = 0
    for entry in entries:
        size += _size(entry[2])
        if chunk and size > _CHUNK:
            yield chunk
            chunk, size = [], _size(entry[2])
        chunk.append(entry)
    if chunk:
        yield chunk


def _merged(placed: dict[int, TaskRun], kept: Sequence[TaskRun]) -> list[TaskRun]:
    """All task runs in their order: those that were put away at their positions, the others
    between."""
    rest = iter(kept)
    return [
        placed[position] if position in placed else next(rest)
        for position in range(len(placed) + len(kept))
    ]


def _read(chunk: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, TaskRun]]:
    for position, value in chunk:
        yield position, TaskRun.model_validate(value)


def _size(value: object) -> int:
    return len(encode(value))
