"""Settling: move everything that can move, from the innermost open flowable outwards.

One algorithm serves the execution itself and every flowable:

1. *main*: the lanes of the plan. Once a child FAILED, no further child of this parent starts;
   children that run are awaited.
2. *errors*: as soon as a child FAILED, one after the other.
3. *finally*: when main and errors have ended, one after the other, whatever happened.
4. the end state is the worst of the main children's; handlers never count.

A flowable may wait before its children (a Pause), have them run once more (a LoopUntil), add a
verdict of its own to theirs, or end with an attempt of its own (a WorkingDirectory).

Invariant: a parent never ends while one of its task runs is live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from penstock.engine.decision.advancing import Advancing
from penstock.engine.decision.going_on import GoingOn
from penstock.engine.decision.leaving import Leaving
from penstock.engine.decision.starting import Starting
from penstock.engine.interface.flowable import Flowable, in_sequence
from penstock.engine.interface.states import worst
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.engine.state.parents import Parent, handlers
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.tree import FlowTree
from penstock.flow.task import Task
from penstock.resources.execution import State, TaskRun


class Settling:
    """Settles the whole execution, during one decision."""

    def __init__(
        self,
        tree: FlowTree,
        run_index: TaskRunIndex,
        changes: ExecutionChanges,
        starting: Starting,
        advancing: Advancing,
        going_on: GoingOn,
        leaving: Leaving,
    ) -> None:
        self._tree = tree
        self._run_index = run_index
        self._changes = changes
        self._starting = starting
        self._advancing = advancing
        self._going_on = going_on
        self._leaving = leaving

    @property
    def waiting(self) -> int:
        """Task runs that are known to come, for the progress that is shown."""
        return self._advancing.waiting

    @property
    def goes_on(self) -> bool:
        """Whether there is more to start than one decision may: the next one is due at once."""
        return self._starting.is_spent

    @property
    def at_breakpoints(self) -> list[str]:
        """Ids of the task runs that wait at a breakpoint, as far as settling found them."""
        return self._advancing.at_breakpoints

    def settle(self) -> State | None:
        """Settle the execution. Give its end state, or None while something is open.

        Raises :class:`penstock.engine.decision.starting.LimitExceeded`.
        """
        flow = self._tree.flow
        end: State | None = None
        if self._changes.exit is None:
            top = Parent(None, self._tree.plan, flow.errors, flow.finally_, self._tree.handlers)
            end = self._settle(top)
        if self._changes.exit is None:
            return end
        self._advancing.waiting = 0
        return self._leaving.leave(self._changes.exit)

    def settle_after(self) -> State | None:
        """Settle what runs after the end. Give its own end state; None while something is open."""
        parent = Parent(None, in_sequence(self._tree.flow.after_execution))
        self._settle_open_children(parent)
        if not self._advancing.advance(parent, "after", parent.plan, stop_on_failure=False):
            return None
        ids = {task.id for task in self._tree.flow.after_execution}
        return worst(run.state for run in self._run_index.children(None) if run.task_id in ids)

    def _settle(self, parent: Parent) -> State | None:
        self._settle_open_children(parent)
        main_ended = self._advancing.advance(parent, "main", parent.plan)
        if parent.run is not None:
            parent = replace(parent, run=self._run_index[parent.run.id])
        failed = parent.failed(self._run_index)
        if parent.run is not None and not failed:
            if parent.run.state is State.PAUSED:
                return None
            asks = main_ended and parent.run.verdict is None and not self._is_leaving(parent)
            if asks and not self._proceed(parent.run):
                return None
            parent = replace(parent, run=self._run_index[parent.run.id])
            failed = parent.failed(self._run_index)
        errors_ended = not failed or self._advance_handlers(parent, "errors", parent.errors)
        if not (main_ended and errors_ended):
            return None
        if not self._advance_handlers(parent, "finally", parent.finally_):
            return None
        states = [run.state for run in parent.main_runs(self._run_index)]
        return worst(states if parent.verdict is None else [*states, parent.verdict])

    def _is_leaving(self, parent: Parent) -> bool:
        """Whether `finally` has begun: what follows the children was decided before it."""
        return any(
            self._advancing.has_begun(parent, lane) for lane in in_sequence(parent.finally_).lanes
        )

    def _settle_open_children(self, parent: Parent) -> None:
        for run in self._run_index.open_children(parent.id):
            task = self._tree[run.task_id].task
            if self._changes.exit is not None:
                return
            due = self._going_on.is_due(run)
            if isinstance(task, Flowable):
                if run.state is State.PAUSED and due:
                    self._going_on.expire(run, task)
                self.settle_flowable(self._run_index[run.id], task)
            elif due and not self._changes.paused:
                self._starting.begin(run, task)

    def settle_flowable(self, run: TaskRun, task: Flowable) -> None:
        """Settle an open flowable and all inside it, as far as it goes now."""
        if self._changes.exit is not None:
            return
        own = handlers(task.errors, task.finally_)
        parent = Parent(run, task.plan(run), task.errors, task.finally_, own)
        state = self._settle(parent)
        if state is not None and self._changes.exit is None:
            self._going_on.end(self._run_index[run.id], task, state)

    def _proceed(self, run: TaskRun) -> bool:
        task = self._tree[run.task_id].task
        assert isinstance(task, Flowable)
        return self._going_on.proceed(run, task)

    def _advance_handlers(self, parent: Parent, kind: str, tasks: Sequence[Task]) -> bool:
        return self._advancing.advance(parent, kind, in_sequence(tasks), stop_on_failure=False)
