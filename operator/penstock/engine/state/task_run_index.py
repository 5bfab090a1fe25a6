"""The task runs of one execution while a decision is made: looked up by id and by place.

Task runs are values. A change replaces one; the ones that did not change are shared with the
status that came in, so a decision costs what it touches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.engine.interface.flowable import Child
from penstock.engine.interface.secrets import AskedSecrets
from penstock.engine.state.outputs_tree import OutputsTree, Scope
from penstock.engine.state.transitions import move_task_run
from penstock.resources.execution import State, TaskRun

ChildKey = tuple[str, str | None, int | None]
_KINDS = ("main", "errors", "finally", "after")


@dataclass(frozen=True)
class Traits:
    """Which tasks stand out by what they do with values, by id."""

    isolating: frozenset[str] = frozenset()
    """Loops whose iterations see their own outputs only, and keep them from the others."""
    sharing: frozenset[str] = frozenset()
    """Each WorkingDirectory: its children carry the value that it has itself."""
    flowables: frozenset[str] = frozenset()
    """Tasks that hold others."""
    asked: Mapping[str, AskedSecrets] = field(default_factory=dict)
    """The secrets for which tasks ask a person."""


class TaskRunIndex:
    """All task runs of an execution.

    It is kept from one decision to the next, and knows what is open, so that a decision costs
    what has changed and not what there is.
    """

    def __init__(self, task_runs: Iterable[TaskRun], traits: Traits | None = None) -> None:
        self.traits = traits or Traits()
        self.outputs = OutputsTree()
        self.books: dict[tuple[str | None, str], object] = {}
        """What settling remembers of the lanes of a parent."""
        self._runs: dict[str, TaskRun] = {}
        self._positions: dict[str, int] = {}
        self._children: dict[str | None, dict[ChildKey, str]] = {}
        self._open: dict[str | None, dict[str, None]] = {}
        self._failed: dict[str | None, dict[str, None]] = {}
        self._unseen: dict[str, None] = {}
        self._executing: dict[str, None] = {}
        self._touched: dict[str | None, dict[str, None]] = {}
        self._ended = 0
        self._under_way = 0
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

    @property
    def ended(self) -> int:
        """How many task runs have ended."""
        return self._ended

    @property
    def under_way(self) -> int:
        """How many task runs do work, or are to: those that are open, but for what holds others."""
        return self._under_way

    def open_runs(self) -> list[TaskRun]:
        """The task runs that have not ended."""
        ids = {run_id for ids in self._open.values() for run_id in ids}
        return [self._runs[run_id] for run_id in self._in_order(ids)]

    def unseen(self) -> list[TaskRun]:
        """The task runs whose last attempt is only intended, as far as is known."""
        return [self._runs[run_id] for run_id in self._in_order(self._unseen)]

    def executing(self) -> list[TaskRun]:
        """The task runs that other executions do."""
        return [self._runs[run_id] for run_id in self._in_order(self._executing)]

    def found(self, run_ids: Iterable[str]) -> list[TaskRun]:
        """The task runs of those ids that there are, in the order in which they started."""
        there = {run_id for run_id in run_ids if run_id in self._runs}
        return [self._runs[run_id] for run_id in self._in_order(there)]

    def put(self, run: TaskRun) -> TaskRun:
        """Add a task run, or replace the one of the same id."""
        before = self._runs.get(run.id)
        if before is not None:
            self._unindex(before)
        self._runs[run.id] = run
        self._positions.setdefault(run.id, len(self._positions))
        self._children.setdefault(run.parent, {})[_key(run)] = run.id
        self._touched.setdefault(run.parent, {})[run.id] = None
        self._index(run)
        if before is None or before.outputs is not run.outputs:
            self._place_outputs(before, run)
        if before is not None and before.state is not run.state:
            self._forget_books(before, run)
        return run

    def remove(self, run: TaskRun) -> None:
        """Forget a task run and all inside it."""
        self.clear(run)
        run = self._runs.pop(run.id)
        self._unindex(run)
        siblings = self._children[run.parent]
        if siblings.get(_key(run)) == run.id:
            del siblings[_key(run)]
        for kind in _KINDS:
            self.books.pop((run.id, kind), None)
            self.books.pop((run.parent, kind), None)
        if run.outputs is not None:
            self.outputs.spoil()

    def clear(self, run: TaskRun) -> None:
        """Forget all task runs inside one."""
        for child in self.children(run.id):
            self.remove(child)

    def change(self, run: TaskRun, **changes: Any) -> TaskRun:
        """Replace a task run by one with other fields, but in the same state."""
        return self.put(run.model_copy(update=changes))

    def move(self, run: TaskRun, state: State, **changes: Any) -> TaskRun:
        """Replace a task run by one in another state, and with other fields. Raises
        ``IllegalTransition``."""
        return self.put(move_task_run(run, state, **changes))

    def child(self, parent: str | None, child: Child) -> TaskRun | None:
        key = (child.task.id, child.value, child.iteration)
        run_id = self._children.get(parent, {}).get(key)
        return None if run_id is None else self._runs[run_id]

    def beside(self, run: TaskRun, task_id: str) -> TaskRun | None:
        """Find the task run of another task of the same parent, in no loop of it."""
        run_id = self._children.get(run.parent, {}).get((task_id, None, None))
        return None if run_id is None else self._runs[run_id]

    def has_ended(self, parent: str | None, task_id: str) -> bool:
        """Whether a task that stands in no loop of its parent's has ended."""
        run_id = self._children.get(parent, {}).get((task_id, None, None))
        return run_id is not None and self._runs[run_id].state.terminated

    def children(self, parent: str | None) -> list[TaskRun]:
        return [self._runs[run_id] for run_id in self._children.get(parent, {}).values()]

    def has_children(self, parent: str | None) -> bool:
        return bool(self._children.get(parent))

    def open_children(self, parent: str | None) -> list[TaskRun]:
        """The children that have not ended and may have to be moved by their parent: flowables,
        and those that wait for a date."""
        return [
            run
            for run_id in list(self._open.get(parent, ()))
            if (run := self._runs[run_id]).task_id in self.traits.flowables
            or run.next_attempt is not None
        ]

    def failed_children(self, parent: str | None) -> list[TaskRun]:
        return [self._runs[run_id] for run_id in self._failed.get(parent, ())]

    def take_touched(self, parent: str | None) -> list[TaskRun]:
        """The children that were put since this was asked for the last time."""
        ids = self._touched.pop(parent, {})
        return [self._runs[run_id] for run_id in ids if run_id in self._runs]

    def _in_order(self, ids: Iterable[str]) -> list[str]:
        return sorted(ids, key=self._positions.__getitem__)

    def _index(self, run: TaskRun) -> None:
        if run.state is State.FAILED:
            self._failed.setdefault(run.parent, {})[run.id] = None
        if run.state.terminated:
            self._ended += 1
            return
        self._under_way += run.task_id not in self.traits.flowables
        self._open.setdefault(run.parent, {})[run.id] = None
        last = run.attempts[-1] if run.attempts else None
        if last is None or last.state.terminated:
            return
        if last.execution is not None:
            self._executing[run.id] = None
        elif last.state is State.CREATED:
            self._unseen[run.id] = None

    def _unindex(self, run: TaskRun) -> None:
        self._ended -= run.state.terminated
        works = run.task_id not in self.traits.flowables
        self._under_way -= works and not run.state.terminated
        self._open.get(run.parent, {}).pop(run.id, None)
        self._failed.get(run.parent, {}).pop(run.id, None)
        self._unseen.pop(run.id, None)
        self._executing.pop(run.id, None)

    def _forget_books(self, before: TaskRun, run: TaskRun) -> None:
        """Forget what settling remembers of lanes: a plan depends on whether its flowable is held,
        and a lane that had ended may be open again."""
        for kind in _KINDS:
            self.books.pop((run.id, kind), None)
            if before.state.terminated:
                self.books.pop((run.parent, kind), None)

    def _place_outputs(self, before: TaskRun | None, run: TaskRun) -> None:
        known = before.outputs if before is not None else None
        if known is not None and not known.keys() <= (run.outputs or {}).keys():
            # Keys are gone, which is rare: outputs come once, grow, or get other values.
            self.outputs.spoil()
        elif run.outputs is not None:
            path = (run.task_id, *self.loop_values(run))
            self.outputs.place(self.scope(run), path, run.outputs)

    def visible_outputs(self, scope: Scope = ()) -> dict[str, Any]:
        """Outputs by task; inside loops by task and the values of the loops, outermost first.

        Of isolating loops, those of the iterations in `scope`.
        """
        if self.outputs.spoiled:
            self.outputs = OutputsTree()
            for run in self._runs.values():
                self._place_outputs(None, run)
        return self.outputs.seen_from(scope)

    def ancestors(self, run: TaskRun) -> Iterator[TaskRun]:
        """The task runs around one, nearest first."""
        parent = run.parent
        while parent is not None:
            yield self._runs[parent]
            parent = self._runs[parent].parent

    def working_directory(self, run: TaskRun) -> TaskRun | None:
        """The WorkingDirectory whose directory a task run has: the one around it, or itself."""
        around = self._runs[run.parent] if run.parent is not None else None
        nearest = (item for item in (run, around) if item is not None)
        return next((item for item in nearest if item.task_id in self.traits.sharing), None)

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
    """Make the id of a task run, which is the same whenever its place in the flow is reached.

    Not after a restart, though: what runs then must not be taken for what ran before.
    """
    place = "\0".join((parent or "", child.task.id, child.value or "", str(child.iteration)))
    if restarts:
        place += f"\0{restarts}"
    return hashlib.sha256(place.encode()).hexdigest()[:20]
