"""Advancing the lanes of a plan: which go on, which begin, and when none is left.

Only the lanes of which something may be different are looked at: a loop over ten thousand values
costs what its open iterations cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from penstock.engine.decision.attempts import Attempts
from penstock.engine.decision.starting import Starting
from penstock.engine.interface.flowable import Child, Flowable, FlowableError, Lane, LoopLanes, Plan
from penstock.engine.interface.identity import Identity
from penstock.engine.interface.states import worst
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.engine.state.lanes import LaneBook, LaneState
from penstock.engine.state.parents import Parent
from penstock.engine.state.task_run_index import TaskRunIndex, task_run_id
from penstock.engine.state.tree import FlowTree
from penstock.expressions import ExpressionError
from penstock.flow.values import InvalidInput
from penstock.resources.execution import State


class Advancing:
    """Moves lanes on during one decision."""

    def __init__(
        self,
        tree: FlowTree,
        identity: Identity,
        run_index: TaskRunIndex,
        attempts: Attempts,
        evaluation: Evaluation,
        changes: ExecutionChanges,
        starting: Starting,
    ) -> None:
        self._tree = tree
        self._identity = identity
        self._run_index = run_index
        self._attempts = attempts
        self._evaluation = evaluation
        self._changes = changes
        self._starting = starting
        self.waiting = 0
        """Task runs that are known to come, for the progress that is shown."""
        self._at_breakpoints: list[str] = []

    @property
    def at_breakpoints(self) -> list[str]:
        """Ids of the task runs that wait at a breakpoint, as far as settling found them."""
        return list(dict.fromkeys(self._at_breakpoints))

    def advance(
        self, parent: Parent, kind: str, plan: Plan, *, stop_on_failure: bool = True
    ) -> bool:
        """Start what may start. True when nothing of the plan is live or still to come."""
        book = self._book(parent, kind, plan)
        stops = stop_on_failure and not plan.goes_on
        failed = stops and parent.failed(self._run_index)
        stopped = plan.stopped
        for index in self._to_look_at(parent, plan, book):
            lane = plan.lanes[index]
            state, unstarted = self._advance_lane(parent, book, index, lane.children, False)
            book.enter(index, state, unstarted, begun=True)
            stopped = self._record_lane(parent, kind, index, lane, state) or stopped
            failed = failed or (stops and state is LaneState.FAILED)
        held = 0
        for index in self._to_start(plan, book):
            begun = index in book.pending
            has_room = not plan.limit or len(book.live) + held < plan.limit
            if failed or (stopped and not begun) or not has_room:
                continue
            if not (begun or self._starting.has_room):
                continue
            book.next = max(book.next, index + 1)
            lane = plan.lanes[index]
            if not begun and not self._is_free(parent, lane):
                book.enter(index, LaneState.PENDING, len(lane.children), begun=False)
                continue
            state, unstarted = self._advance_lane(parent, book, index, lane.children, True)
            begun = begun or self.has_begun(parent, lane)
            book.enter(index, state, unstarted, begun=begun)
            held += state is LaneState.PENDING
            stopped = self._record_lane(parent, kind, index, lane, state) or stopped
            failed = stops and state is LaneState.FAILED
        if not (failed or stopped):
            self.waiting += book.remaining + plan.unstarted(book.next)
        to_come = len(book.pending)
        if not stopped:
            to_come += len(book.blocked) + len(plan.lanes) - book.next
        return not book.live and (failed or to_come == 0)

    def _book(self, parent: Parent, kind: str, plan: Plan) -> LaneBook:
        """Find what is known of the lanes, or look at them anew, as after a crash."""
        key = (parent.id, kind)
        book = self._run_index.books.get(key)
        if isinstance(book, LaneBook):
            return book
        book = LaneBook()
        if self._run_index.has_children(parent.id):
            begun = [i for i, lane in enumerate(plan.lanes) if self.has_begun(parent, lane)]
            book.live = dict.fromkeys(begun)
            book.next = begun[-1] + 1 if begun else 0
            for index in (i for i in range(book.next) if i not in book.live):
                unstarted = len(plan.lanes[index].children)
                book.enter(index, LaneState.PENDING, unstarted, begun=False)
        self._run_index.books[key] = book
        return book

    def _to_look_at(self, parent: Parent, plan: Plan, book: LaneBook) -> list[int]:
        """Find the lanes that have begun and of which something may be different."""
        if book.fresh or not isinstance(plan.lanes, LoopLanes):
            book.fresh = False
            return sorted(book.live)
        touched = (run.iteration for run in self._run_index.take_touched(parent.id))
        return sorted({index for index in touched if index is not None and index in book.live})

    def _to_start(self, plan: Plan, book: LaneBook) -> Iterator[int]:
        """Give the lanes that may go on or begin, in their order, as long as there is room."""
        if self._changes.exit is not None or self._changes.paused:
            return
        yield from sorted([*book.pending, *book.blocked])
        while book.next < len(plan.lanes) and (not plan.limit or len(book.live) < plan.limit):
            before = book.next
            yield before
            if book.next == before:
                return

    def _is_free(self, parent: Parent, lane: Lane) -> bool:
        return all(self._run_index.has_ended(parent.id, task_id) for task_id in lane.after)

    def _advance_lane(
        self,
        parent: Parent,
        book: LaneBook,
        lane: int,
        children: Sequence[Child],
        may_start: bool,
    ) -> tuple[LaneState, int]:
        """Move a lane on; say what it does, and how many of its children have not started."""
        for index in range(book.reached.get(lane, 0), len(children)):
            child = children[index]
            book.reached[lane] = index
            run = self._run_index.child(parent.id, child)
            if run is None:
                if not may_start or self._holds_back(child, parent):
                    return LaneState.PENDING, len(children) - index
                run = self._starting.start(child, parent)
            if not run.state.terminated:
                return LaneState.LIVE, len(children) - index - 1
            if run.state is State.FAILED:
                return LaneState.FAILED, 0
        return LaneState.ENDED, 0

    def _holds_back(self, child: Child, parent: Parent) -> bool:
        """Whether nothing starts now, or not this child."""
        if self._changes.exit is not None or self._changes.paused:
            return True
        if self._starting.is_spent:
            return True
        if self._changes.over or child.task.id not in self._identity.breakpoints:
            return False
        run_id = task_run_id(parent.id, child, self._changes.restarts)
        if run_id in self._changes.passed_breakpoints:
            return False
        self._at_breakpoints.append(run_id)
        return True

    def has_begun(self, parent: Parent, lane: Lane) -> bool:
        return (
            bool(lane.children) and self._run_index.child(parent.id, lane.children[0]) is not None
        )

    def _record_lane(
        self, parent: Parent, kind: str, index: int, lane: Lane, state: LaneState
    ) -> bool:
        """Let an isolating flowable take what a lane leaves. True where no further one starts."""
        ended = state in (LaneState.ENDED, LaneState.FAILED)
        if kind != "main" or parent.run is None or not lane.children or not ended:
            return False
        task = self._tree[parent.run.task_id].task
        if not isinstance(task, Flowable) or not task.isolates:
            return False
        run = self._run_index[parent.run.id]
        if not task.has_recorded(run, index):
            runs = [found for c in lane.children if (found := self._run_index.child(run.id, c))]
            end = worst(found.state for found in runs)
            last = runs[-1]
            evaluator = partial(
                self._evaluation.with_variables, last, self._tree[last.task_id].task
            )
            try:
                outputs = task.lane_ended(run, index, end, evaluator)
                run = self._run_index.change(run, outputs=outputs)
            except (ExpressionError, FlowableError, InvalidInput) as error:
                run = self._run_index.change(run, outputs=task.lane_failed(run, index))
                if not parent.plan.goes_on:
                    self._attempts.tell_failure(run, str(error))
                    run = self._run_index.change(run, verdict=State.FAILED, message=str(error))
        return run.verdict is State.FAILED or bool((run.outputs or {}).get("stopped"))
