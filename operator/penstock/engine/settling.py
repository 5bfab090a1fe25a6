"""Settling: move everything that can move, from the innermost open flowable outwards.

One algorithm serves the execution itself and every flowable (kestra-engine, sections 2 and 3):

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

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from penstock.engine.actions import Observation, StopAttempt
from penstock.engine.attempts import Attempts
from penstock.engine.board import Board, task_run_id
from penstock.engine.children import ChildExecutions
from penstock.engine.evaluation import Evaluation
from penstock.engine.executable import ExecutableTask
from penstock.engine.flowable import (
    Again,
    Child,
    Flowable,
    FlowableError,
    Going,
    Lane,
    LoopLanes,
    Plan,
    in_sequence,
)
from penstock.engine.identity import Identity
from penstock.engine.instant_task import Effect, InstantFailure, InstantTask, Scene
from penstock.engine.lanes import LaneBook, LaneState
from penstock.engine.ledger import Ledger
from penstock.engine.limits import Limits
from penstock.engine.retrying import ExecutionRetries
from penstock.engine.states import worst
from penstock.engine.tree import FlowTree
from penstock.expressions import ExpressionError, is_truthy
from penstock.flow.task import Task
from penstock.flow.values import InvalidInput
from penstock.resources.execution import State, TaskRun


class LimitExceeded(Exception):
    """The execution asks for more than one execution may."""


@dataclass(frozen=True)
class _Parent:
    """What is settled: the execution (no run) or an open flowable."""

    run: TaskRun | None
    plan: Plan
    errors: Sequence[Task]
    finally_: Sequence[Task]

    @property
    def id(self) -> str | None:
        return None if self.run is None else self.run.id

    @property
    def verdict(self) -> State | None:
        return None if self.run is None else self.run.verdict


class Settling:
    """One decision over the whole execution."""

    def __init__(
        self,
        tree: FlowTree,
        identity: Identity,
        board: Board,
        attempts: Attempts,
        children: ChildExecutions,
        retries: ExecutionRetries,
        evaluation: Evaluation,
        ledger: Ledger,
        limits: Limits,
        now: datetime,
    ) -> None:
        self._tree = tree
        self._identity = identity
        self._board = board
        self._attempts = attempts
        self._children = children
        self._retries = retries
        self._evaluation = evaluation
        self._ledger = ledger
        self._limits = limits
        self._now = now
        self.waiting = 0
        """Task runs that are known to come, for the progress that is shown."""
        self._at_breakpoints: list[str] = []
        self.stops: list[StopAttempt] = []
        """Attempts that must not go on."""

    def settle(self) -> State | None:
        """Settle the execution. Its end state, or None while something is open.

        Raises :class:`LimitExceeded`.
        """
        flow = self._tree.flow
        end: State | None = None
        if self._ledger.exit is None:
            top = _Parent(None, self._tree.plan, flow.errors, flow.finally_)
            end = self._settle(top)
        exit_ = self._ledger.exit
        return end if exit_ is None else self._leave(exit_)

    @property
    def at_breakpoints(self) -> list[str]:
        """Ids of the task runs that wait at a breakpoint, as far as settling found them."""
        return list(dict.fromkeys(self._at_breakpoints))

    def settle_after(self) -> State | None:
        """Settle what runs after the end. Its own end state, or None while something is open."""
        parent = _Parent(None, in_sequence(self._tree.flow.after_execution), (), ())
        self._settle_open_children(parent)
        if not self._advance(parent, "after", parent.plan, stop_on_failure=False):
            return None
        ids = {task.id for task in self._tree.flow.after_execution}
        return worst(run.state for run in self._board.children(None) if run.task_id in ids)

    def _leave(self, end: State) -> State | None:
        """End the execution as was said: once nothing runs any more, or at once if it must."""
        self.waiting = 0
        running = False
        opened: list[TaskRun] = []
        for run in self._board:
            if run.state.terminated:
                continue
            live = [attempt for attempt in run.attempts if not attempt.state.terminated]
            if self._ledger.stops:
                self.stop(run)
                self._attempts.close(run, end)
            elif live:
                running = True
            elif run.attempts and not isinstance(self._tree[run.task_id].task, Flowable):
                self._attempts.close(run, State.CANCELLED)
            else:
                opened.append(run)
        if running or (end is State.RETRIED and not self._is_retried()):
            return None
        for run in opened:
            self._attempts.close(run, end)
        return end

    def stop(self, run: TaskRun) -> None:
        """Let what runs for a task run be gone."""
        task = self._tree[run.task_id].task
        for attempt in run.attempts:
            if attempt.state.terminated:
                continue
            if isinstance(task, ExecutableTask):
                self._children.kill(run, task, attempt)
            else:
                self.stops.append(StopAttempt(run, attempt))

    def _is_retried(self) -> bool:
        """Whether the execution that does this one again is there."""
        retried = (run for run in self._board if run.state is State.RETRIED and run.attempts)
        run = next(retried, None)
        if run is None:
            return True
        task = self._tree[run.task_id].task
        return self._retries.is_there(run, self._tree.retry_of(task))

    def _settle(self, parent: _Parent) -> State | None:
        self._settle_open_children(parent)
        main_ended = self._advance(parent, "main", parent.plan)
        if parent.run is not None:
            parent = replace(parent, run=self._board[parent.run.id])
        failed = self._failed(parent)
        if parent.run is not None and not failed:
            if parent.run.state is State.PAUSED:
                return None
            asks = main_ended and parent.run.verdict is None and not self._is_leaving(parent)
            if asks and not self._proceed(parent.run):
                return None
            parent = replace(parent, run=self._board[parent.run.id])
            failed = self._failed(parent)
        errors_ended = not failed or self._advance_handlers(parent, "errors", parent.errors)
        if not (main_ended and errors_ended):
            return None
        if not self._advance_handlers(parent, "finally", parent.finally_):
            return None
        states = [run.state for run in self._main_runs(parent)]
        return worst(states if parent.verdict is None else [*states, parent.verdict])

    def _is_leaving(self, parent: _Parent) -> bool:
        """Whether `finally` has begun: what follows the children was decided before it."""
        return any(self._has_begun(parent, lane) for lane in in_sequence(parent.finally_).lanes)

    def _proceed(self, run: TaskRun) -> bool:
        """Ask a flowable whose children have ended what follows. False where it is not its end."""
        task = self._tree[run.task_id].task
        assert isinstance(task, Flowable)
        try:
            next_ = task.proceed(run, self._evaluation.of_task_run(run, task), self._now)
        except (ExpressionError, FlowableError, ValueError) as error:
            next_ = Going(verdict=State.FAILED, message=str(error))
        if isinstance(next_, Again):
            self._board.clear(run)
            self._board.change(
                run,
                state=State.PAUSED,
                next_attempt=self._now + next_.wait,
                outputs=next_.outputs,
            )
            return False
        self._go_on(run, next_)
        return self._ledger.exit is None

    def _go_on(self, run: TaskRun, going: Going) -> None:
        """Take in what a flowable decided of itself."""
        if going.exit is not None:
            self._ledger.leave(going.exit, f"task {run.task_id}: {going.message}")
        if going.verdict is State.FAILED:
            self._attempts.tell_failure(run, going.message or "failed")
        self._board.change(
            run,
            state=State.RUNNING,
            next_attempt=None,
            outputs=run.outputs if going.outputs is None else going.outputs,
            verdict=going.verdict,
            message=going.message if going.verdict is not None else run.message,
        )

    def _settle_open_children(self, parent: _Parent) -> None:
        for run in self._board.open_children(parent.id):
            task = self._tree[run.task_id].task
            if self._ledger.exit is not None:
                return
            due = run.next_attempt is not None and run.next_attempt <= self._now
            if isinstance(task, Flowable):
                if run.state is State.PAUSED and due:
                    self._go_on(run, task.expire(run, self._now))
                self._settle_flowable(self._board[run.id], task)
            elif due and not self._ledger.paused:
                self._begin(run, task)

    def _settle_flowable(self, run: TaskRun, task: Flowable) -> None:
        if self._ledger.exit is not None:
            return
        parent = _Parent(run, task.plan(run), task.errors, task.finally_)
        state = self._settle(parent)
        if state is None or self._ledger.exit is not None:
            return
        run = self._board[run.id]
        if task.closes(run):
            lost = sum(attempt.state is State.RESUBMITTED for attempt in run.attempts)
            if lost == len(run.attempts) and lost <= self._limits.lost_attempts:
                run = self._attempts.begin(run, task)
            closing = run.attempts[-1]
            if not closing.state.terminated:
                return
            failed = closing.state in (State.FAILED, State.RESUBMITTED)
            state = worst([state, State.FAILED if failed else closing.state])
            if failed:
                run = self._board.change(run, message=closing.message or closing.reason)
        state = self._evaluation.allowed(run, task, task.outcome(state))
        self._board.change(run, state=state, end_date=self._now)

    def _advance_handlers(self, parent: _Parent, kind: str, tasks: Sequence[Task]) -> bool:
        return self._advance(parent, kind, in_sequence(tasks), stop_on_failure=False)

    def _advance(
        self, parent: _Parent, kind: str, plan: Plan, *, stop_on_failure: bool = True
    ) -> bool:
        """Start what may start. True when nothing of the plan is live or still to come."""
        book = self._book(parent, kind, plan)
        stops = stop_on_failure and not plan.goes_on
        failed = stops and self._failed(parent)
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
            book.next = max(book.next, index + 1)
            lane = plan.lanes[index]
            if not begun and not self._is_free(parent, lane):
                book.enter(index, LaneState.PENDING, len(lane.children), begun=False)
                continue
            state, unstarted = self._advance_lane(parent, book, index, lane.children, True)
            begun = begun or self._has_begun(parent, lane)
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

    def _book(self, parent: _Parent, kind: str, plan: Plan) -> LaneBook:
        """What is known of the lanes; made anew where that was forgotten, as after a crash."""
        key = (parent.id, kind)
        book = self._board.books.get(key)
        if isinstance(book, LaneBook):
            return book
        book = LaneBook()
        if self._board.has_children(parent.id):
            begun = [i for i, lane in enumerate(plan.lanes) if self._has_begun(parent, lane)]
            book.live = dict.fromkeys(begun)
            book.next = begun[-1] + 1 if begun else 0
            for index in (i for i in range(book.next) if i not in book.live):
                unstarted = len(plan.lanes[index].children)
                book.enter(index, LaneState.PENDING, unstarted, begun=False)
        self._board.books[key] = book
        return book

    def _to_look_at(self, parent: _Parent, plan: Plan, book: LaneBook) -> list[int]:
        """The lanes that have begun and of which something may be different."""
        if book.fresh or not isinstance(plan.lanes, LoopLanes):
            book.fresh = False
            return sorted(book.live)
        touched = (run.iteration for run in self._board.take_touched(parent.id))
        return sorted({index for index in touched if index is not None and index in book.live})

    def _to_start(self, plan: Plan, book: LaneBook) -> Iterator[int]:
        """The lanes that may go on or begin, in their order, as long as there is room."""
        if self._ledger.exit is not None or self._ledger.paused:
            return
        yield from sorted([*book.pending, *book.blocked])
        while book.next < len(plan.lanes) and (not plan.limit or len(book.live) < plan.limit):
            before = book.next
            yield before
            if book.next == before:
                return

    def _is_free(self, parent: _Parent, lane: Lane) -> bool:
        return all(self._board.has_ended(parent.id, task_id) for task_id in lane.after)

    def _advance_lane(
        self,
        parent: _Parent,
        book: LaneBook,
        lane: int,
        children: Sequence[Child],
        may_start: bool,
    ) -> tuple[LaneState, int]:
        """What the lane is doing, and how many of its children have not started."""
        for index in range(book.reached.get(lane, 0), len(children)):
            child = children[index]
            book.reached[lane] = index
            run = self._board.child(parent.id, child)
            if run is None:
                if not may_start or self._holds_back(child, parent):
                    return LaneState.PENDING, len(children) - index
                run = self._start(child, parent)
            if not run.state.terminated:
                return LaneState.LIVE, len(children) - index - 1
            if run.state is State.FAILED:
                return LaneState.FAILED, 0
        return LaneState.ENDED, 0

    def _holds_back(self, child: Child, parent: _Parent) -> bool:
        """Whether nothing starts now, or not this child."""
        if self._ledger.exit is not None or self._ledger.paused:
            return True
        if self._ledger.over or child.task.id not in self._identity.breakpoints:
            return False
        run_id = task_run_id(parent.id, child, self._ledger.restarts)
        if run_id in self._ledger.passed_breakpoints:
            return False
        self._at_breakpoints.append(run_id)
        return True

    def _has_begun(self, parent: _Parent, lane: Lane) -> bool:
        return bool(lane.children) and self._board.child(parent.id, lane.children[0]) is not None

    def _record_lane(
        self, parent: _Parent, kind: str, index: int, lane: Lane, state: LaneState
    ) -> bool:
        """Let an isolating flowable take what a lane leaves. True where no further one starts."""
        ended = state in (LaneState.ENDED, LaneState.FAILED)
        if kind != "main" or parent.run is None or not lane.children or not ended:
            return False
        task = self._tree[parent.run.task_id].task
        if not isinstance(task, Flowable) or not task.isolates:
            return False
        run = self._board[parent.run.id]
        recorded = {item["item"]["iteration"] for item in (run.outputs or {}).get("outputs", [])}
        if index not in recorded:
            runs = [found for c in lane.children if (found := self._board.child(run.id, c))]
            end = worst(found.state for found in runs)
            last = runs[-1]
            evaluator = partial(
                self._evaluation.with_variables, last, self._tree[last.task_id].task
            )
            try:
                outputs = task.lane_ended(run, index, end, evaluator)
                run = self._board.change(run, outputs=outputs)
            except (ExpressionError, FlowableError, InvalidInput) as error:
                run = self._board.change(run, outputs=task.lane_failed(run, index))
                if not parent.plan.goes_on:
                    self._attempts.tell_failure(run, str(error))
                    run = self._board.change(run, verdict=State.FAILED, message=str(error))
        return run.verdict is State.FAILED or bool((run.outputs or {}).get("stopped"))

    def _failed(self, parent: _Parent) -> bool:
        if parent.verdict is State.FAILED:
            return True
        if parent.plan.goes_on:
            return False
        handlers = self._handlers(parent)
        failed = self._board.failed_children(parent.id)
        return any(run.task_id not in handlers for run in failed)

    def _main_runs(self, parent: _Parent) -> list[TaskRun]:
        handlers = self._handlers(parent)
        return [run for run in self._board.children(parent.id) if run.task_id not in handlers]

    def _handlers(self, parent: _Parent) -> set[str]:
        after = self._tree.flow.after_execution if parent.run is None else ()
        return {task.id for task in (*parent.errors, *parent.finally_, *after)}

    def _start(self, child: Child, parent: _Parent) -> TaskRun:
        """Open a task run, as far as it goes at once: a skipped task ends where it starts."""
        if len(self._board) >= self._limits.task_runs:
            raise LimitExceeded(f"the execution needs more than {self._limits.task_runs} task runs")
        task = child.task
        run = self._board.put(
            TaskRun(
                id=task_run_id(parent.id, child, self._ledger.restarts),
                task_id=task.id,
                parent=parent.id,
                value=child.value,
                iteration=child.iteration,
                state=State.CREATED,
                start_date=self._now,
            )
        )
        evaluator = self._evaluation.of_task_run(run, task)
        try:
            if task.gate is not None and not is_truthy(evaluator.evaluate(task.gate)):
                return self._board.change(run, state=State.SKIPPED, end_date=self._now)
            if isinstance(task, Flowable):
                return self._open(run, task)
        except (ExpressionError, FlowableError) as error:
            self._attempts.fail_unstarted(run, task, str(error))
            return self._board[run.id]
        return self._begin(run, task)

    def _begin(self, run: TaskRun, task: Task) -> TaskRun:
        """Begin the next attempt; one that the engine makes itself ends where it begins."""
        if not isinstance(task, InstantTask):
            return self._attempts.begin(run, task)
        run = self._attempts.record(run)
        try:
            effect = task.perform(
                self._evaluation.of_task_run(run, task),
                Scene(self._ledger.labels, self._ledger.variables),
            )
            self._check_size(effect)
        except (ExpressionError, InstantFailure) as error:
            seen = Observation(State.FAILED, reason="TaskFailed", message=str(error))
            return self._attempts.finish(run, task, seen)
        self._ledger.take(effect)
        return self._attempts.finish(run, task, Observation(State.SUCCESS))

    def _check_size(self, effect: Effect) -> None:
        for name, value in (("labels", effect.labels), ("variables", effect.variables)):
            if value is not None and len(json.dumps(value)) > self._limits.set_bytes:
                limit = self._limits.set_bytes
                raise InstantFailure(f"the execution's {name} would be larger than {limit} bytes")

    def _open(self, run: TaskRun, task: Flowable) -> TaskRun:
        opening = task.open(self._evaluation.of_task_run(run, task))
        values = opening.values
        if values is not None:
            self._check_values(values)
        hold = opening.hold
        until = None
        if hold is not None and hold.duration is not None:
            until = self._now + hold.duration
        run = self._board.change(
            run,
            state=State.RUNNING if hold is None else State.PAUSED,
            next_attempt=until,
            outputs=opening.outputs,
            values=values,
            keys=opening.keys,
        )
        self._settle_flowable(run, task)
        return self._board[run.id]

    def _check_values(self, values: list[str]) -> None:
        if len(values) > self._limits.loop_values:
            raise FlowableError(
                f"the loop has {len(values)} values; the limit is {self._limits.loop_values}"
            )
        if sum(map(len, values)) > self._limits.values_bytes:
            limit = self._limits.values_bytes
            raise FlowableError(
                f"the loop's values are larger than {limit} bytes; put them into a file, and loop "
                "over what names them"
            )
