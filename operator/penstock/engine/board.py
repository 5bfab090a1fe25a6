"""The task runs of one execution while a decision is made: looked up by id and by place.

Task runs are values. A change replaces one; the ones that did not change are shared with the
status that came in, so a decision costs what it touches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from penstock.engine.flowable import Child
from penstock.resources.execution import TaskRun

ChildKey = tuple[str, str | None, int | None]
Scope = tuple[tuple[str, int | None], ...]


@dataclass(frozen=True)
class Traits:
    """Which tasks treat the values of their children in their own way, by id."""

    isolating: frozenset[str] = frozenset()
    """Loops whose iterations see their own outputs only, and keep them from the others."""
    sharing: frozenset[str] = frozenset()
    """Tasks whose children carry the value that they have themselves."""


class Board:
    """All task runs of an execution."""

    def __init__(self, task_runs: Iterable[TaskRun], traits: Traits | None = None) -> None:
        self.traits = traits or Traits()
        self._runs: dict[str, TaskRun] = {}
        self._children: dict[str | None, dict[ChildKey, str]] = {}
        for run in task_runs:
            self.put(run)

    def __iter__(self) -> Iterator[TaskRun]:
        return iter(list(self._runs.values()))

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._runs

    def __getitem__(self, run_id: str) -> TaskRun:
        return self._runs[run_id]

    def put(self, run: TaskRun) -> TaskRun:
        """Add a task run, or replace the one of the same id."""
        self._runs[run.id] = run
        self._children.setdefault(run.parent, {})[_key(run)] = run.id
        return run

    def remove(self, run: TaskRun) -> None:
        """Forget a task run and all inside it."""
        self.clear(run)
        del self._runs[run.id]
        siblings = self._children[run.parent]
        if siblings.get(_key(run)) == run.id:
            del siblings[_key(run)]

    def clear(self, run: TaskRun) -> None:
        """Forget all task runs inside one."""
        for child in self.children(run.id):
            self.remove(child)

    def change(self, run: TaskRun, **changes: Any) -> TaskRun:
        """Replace a task run by one with other fields."""
        return self.put(run.model_copy(update=changes))

    def child(self, parent: str | None, child: Child) -> TaskRun | None:
        run_id = self._children.get(parent, {}).get((child.task.id, child.value, child.iteration))
        return None if run_id is None else self._runs[run_id]

    def has_ended(self, parent: str | None, task_id: str) -> bool:
        """Whether a task that stands in no loop of its parent's has ended."""
        run_id = self._children.get(parent, {}).get((task_id, None, None))
        return run_id is not None and self._runs[run_id].state.terminated

    def children(self, parent: str | None) -> list[TaskRun]:
        return [self._runs[run_id] for run_id in self._children.get(parent, {}).values()]

    def ancestors(self, run: TaskRun) -> Iterator[TaskRun]:
        """The task runs around one, nearest first."""
        parent = run.parent
        while parent is not None:
            yield self._runs[parent]
            parent = self._runs[parent].parent

    def loop_values(self, run: TaskRun) -> list[str]:
        """The values by which a task run's outputs are told from those of its task's other runs:
        of the loops around it, outermost first, its own last. Those of an isolating loop, and of
        what is around it, are left out."""
        values: list[str] = []
        at: TaskRun | None = run
        while at is not None:
            around = self._runs[at.parent] if at.parent is not None else None
            if around is not None and around.task_id in self.traits.isolating:
                break
            shared = around is not None and around.task_id in self.traits.sharing
            if at.value is not None and not shared:
                values.append(at.value)
            at = around
        values.reverse()
        return values

    def scope(self, run: TaskRun) -> Scope:
        """The iterations of isolating loops in which a task run stands, outermost first."""
        if not self.traits.isolating:
            return ()
        scope: list[tuple[str, int | None]] = []
        at = run
        while at.parent is not None:
            around = self._runs[at.parent]
            if around.task_id in self.traits.isolating:
                scope.append((around.id, at.iteration))
            at = around
        return tuple(reversed(scope))


def _key(run: TaskRun) -> ChildKey:
    return (run.task_id, run.value, run.iteration)


def task_run_id(parent: str | None, child: Child, restarts: int = 0) -> str:
    """The id of a task run: the same whenever the same place of the flow is reached.

    Not after a restart, though: what runs then must not be taken for what ran before.
    """
    place = "\0".join((parent or "", child.task.id, child.value or "", str(child.iteration)))
    if restarts:
        place += f"\0{restarts}"
    return hashlib.sha256(place.encode()).hexdigest()[:20]
