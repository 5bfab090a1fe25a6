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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
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
    Plan,
    in_sequence,
)
from penstock.engine.identity import Identity
from penstock.engine.instant_task import Effect, InstantFailure, InstantTask, Scene
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


class _Lane(Enum):
    """What a lane is doing."""

    PENDING = auto()
    """Its next child may not start yet, or never."""
    LIVE = auto()
    ENDED = auto()
    FAILED = auto()


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
            top = _Parent(None, in_sequence(flow.tasks), flow.errors, flow.finally_)
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
        if not self._advance(parent, parent.plan, stop_on_failure=True):
            return None
        ids = {task.id for task in self._tree.flow.after_execution}
        return worst(run.state for run in self._board.children(None) if run.task_id in ids)

    def _leave(self, end: State) -> State | None:
        """End the execution as was said: once nothing runs any more, or at once if it must."""
        running = False
        opened: list[TaskRun] = []
        for run in self._board:
            if run.state.terminated:
                continue
            live = [attempt for attempt in run.attempts if not attempt.state.terminated]
            if self._ledger.stops:
                self._stop(run)
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
        self.waiting = 0
        return end

    def _stop(self, run: TaskRun) -> None:
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
        main_ended = self._advance(parent, parent.plan, stop_on_failure=True)
        failed = self._failed(parent)
        if parent.run is not None and not failed:
            if parent.run.state is State.PAUSED:
                return None
            if main_ended and parent.run.verdict is None and not self._proceed(parent.run):
                return None
            parent = replace(parent, run=self._board[parent.run.id])
            failed = self._failed(parent)
        errors_ended = not failed or self._advance_handlers(parent, parent.errors)
        if not (main_ended and errors_ended):
            return None
        if not self._advance_handlers(parent, parent.finally_):
            return None
        states = [run.state for run in self._main_runs(parent)]
        return worst(states if parent.verdict is None else [*states, parent.verdict])

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
        for run in self._board.children(parent.id):
            task = self._tree[run.task_id].task
            if run.state.terminated or self._ledger.exit is not None:
                continue
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
            closing = run.attempts[-1] if run.attempts else None
            if closing is None:
                run = self._attempts.begin(run, task)
                closing = run.attempts[-1]
            if not closing.state.terminated:
                return
            state = worst([state, closing.state])
            if closing.state is State.FAILED:
                run = self._board.change(run, message=closing.message)
        state = self._evaluation.allowed(run, task, task.outcome(state))
        self._board.change(run, state=state, end_date=self._now)

    def _advance_handlers(self, parent: _Parent, tasks: Sequence[Task]) -> bool:
        return self._advance(parent, in_sequence(tasks), stop_on_failure=False)

    def _advance(self, parent: _Parent, plan: Plan, *, stop_on_failure: bool) -> bool:
        """Start what may start. True when nothing of the plan is live or still to come."""
        stop_on_failure = stop_on_failure and not plan.goes_on
        failed = stop_on_failure and self._failed(parent)
        stopped = plan.stopped
        lanes = [(lane, *self._advance_lane(parent, lane.children, False)) for lane in plan.lanes]
        live = sum(outcome is _Lane.LIVE for _, outcome, _ in lanes)
        pending = remaining = 0
        for index, (lane, outcome, unstarted) in enumerate(lanes):
            begun = self._has_begun(parent, lane)
            may_start = not failed and (begun or not stopped)
            has_room = plan.limit == 0 or live < plan.limit
            if outcome is _Lane.PENDING and may_start and has_room and self._is_free(parent, lane):
                outcome, unstarted = self._advance_lane(parent, lane.children, True)
                live += outcome is _Lane.LIVE
            if outcome in (_Lane.ENDED, _Lane.FAILED):
                stopped = self._record_lane(parent, index, lane, outcome) or stopped
            pending += outcome is _Lane.PENDING and (begun or not stopped)
            failed = failed or (stop_on_failure and outcome is _Lane.FAILED)
            remaining += unstarted
        if not (failed or stopped):
            self.waiting += remaining
        return live == 0 and (failed or pending == 0)

    def _is_free(self, parent: _Parent, lane: Lane) -> bool:
        return all(self._board.has_ended(parent.id, task_id) for task_id in lane.after)

    def _advance_lane(
        self, parent: _Parent, children: Sequence[Child], may_start: bool
    ) -> tuple[_Lane, int]:
        """What the lane is doing, and how many of its children have not started."""
        for index, child in enumerate(children):
            run = self._board.child(parent.id, child)
            if run is None:
                if not may_start or self._holds_back(child, parent):
                    return _Lane.PENDING, len(children) - index
                run = self._start(child, parent)
            if not run.state.terminated:
                return _Lane.LIVE, len(children) - index - 1
            if run.state is State.FAILED:
                return _Lane.FAILED, 0
        return _Lane.ENDED, 0

    def _holds_back(self, child: Child, parent: _Parent) -> bool:
        """Whether nothing starts now, or not this child."""
        if self._ledger.exit is not None or self._ledger.paused:
            return True
        if child.task.id not in self._identity.breakpoints:
            return False
        run_id = task_run_id(parent.id, child, self._ledger.restarts)
        if run_id in self._ledger.passed_breakpoints:
            return False
        self._at_breakpoints.append(run_id)
        return True

    def _has_begun(self, parent: _Parent, lane: Lane) -> bool:
        return bool(lane.children) and self._board.child(parent.id, lane.children[0]) is not None

    def _record_lane(self, parent: _Parent, index: int, lane: Lane, outcome: _Lane) -> bool:
        """Let an isolating flowable take what a lane leaves. True where no further one starts."""
        if parent.run is None or not lane.children:
            return False
        task = self._tree[parent.run.task_id].task
        if not isinstance(task, Flowable) or not task.isolates:
            return False
        run = self._board[parent.run.id]
        recorded = {item["item"]["iteration"] for item in (run.outputs or {}).get("outputs", [])}
        if index not in recorded:
            runs = [found for c in lane.children if (found := self._board.child(run.id, c))]
            state = worst(found.state for found in runs)
            last = runs[-1]
            evaluator = partial(
                self._evaluation.with_variables, last, self._tree[last.task_id].task
            )
            try:
                outputs = task.lane_ended(run, index, state, evaluator)
            except (ExpressionError, FlowableError, InvalidInput) as error:
                self._ledger.leave(State.FAILED, f"task {run.task_id}: {error}")
                return True
            run = self._board.change(run, outputs=outputs)
        return bool((run.outputs or {}).get("stopped"))

    def _failed(self, parent: _Parent) -> bool:
        if parent.verdict is State.FAILED:
            return True
        if parent.plan.goes_on:
            return False
        return any(run.state is State.FAILED for run in self._main_runs(parent))

    def _main_runs(self, parent: _Parent) -> list[TaskRun]:
        after = self._tree.flow.after_execution if parent.run is None else ()
        handlers = {task.id for task in (*parent.errors, *parent.finally_, *after)}
        return [run for run in self._board.children(parent.id) if run.task_id not in handlers]

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
        if values is not None and len(values) > self._limits.loop_values:
            raise FlowableError(
                f"the loop has {len(values)} values; the limit is {self._limits.loop_values}"
            )
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
