"""The task runs of one execution while a decision is made: looked up by id and by place.

Task runs are values. A change replaces one; the ones that did not change are shared with the
status that came in, so a decision costs what it touches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from penstock.engine.flowable import Child
from penstock.resources.execution import TaskRun

ChildKey = tuple[str, str | None]


class Board:
    """All task runs of an execution."""

    def __init__(self, task_runs: Iterable[TaskRun]) -> None:
        self._runs: dict[str, TaskRun] = {}
        self._children: dict[str | None, dict[ChildKey, str]] = {}
        for run in task_runs:
            self.put(run)

    def __iter__(self) -> Iterator[TaskRun]:
        return iter(list(self._runs.values()))

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, run_id: str) -> TaskRun:
        return self._runs[run_id]

    def put(self, run: TaskRun) -> TaskRun:
        """Add a task run, or replace the one of the same id."""
        self._runs[run.id] = run
        self._children.setdefault(run.parent, {})[(run.task_id, run.value)] = run.id
        return run

    def change(self, run: TaskRun, **changes: Any) -> TaskRun:
        """Replace a task run by one with other fields."""
        return self.put(run.model_copy(update=changes))

    def child(self, parent: str | None, child: Child) -> TaskRun | None:
        run_id = self._children.get(parent, {}).get((child.task.id, child.value))
        return None if run_id is None else self._runs[run_id]

    def has_ended(self, parent: str | None, task_id: str) -> bool:
        """Whether a task that stands in no loop of its parent's has ended."""
        run_id = self._children.get(parent, {}).get((task_id, None))
        return run_id is not None and self._runs[run_id].state.terminated

    def children(self, parent: str | None) -> list[TaskRun]:
        return [self._runs[run_id] for run_id in self._children.get(parent, {}).values()]

    def ancestors(self, run: TaskRun) -> Iterator[TaskRun]:
        """The task runs around one, nearest first."""
        parent = run.parent
        while parent is not None:
            yield self._runs[parent]
            parent = self._runs[parent].parent


def task_run_id(parent: str | None, child: Child) -> str:
    """The id of a task run: the same whenever the same place of the flow is reached."""
    place = "\0".join((parent or "", child.task.id, child.value or "", str(child.iteration)))
    return hashlib.sha256(place.encode()).hexdigest()[:20]
