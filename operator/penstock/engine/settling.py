"""Settling: move everything that can move, from the innermost open flowable outwards.

One algorithm serves the execution itself and every flowable (kestra-engine, sections 2 and 3):

1. *main*: the lanes of the plan. Once a child FAILED, no further child of this parent starts;
   children that run are awaited.
2. *errors*: as soon as a child FAILED, one after the other.
3. *finally*: when main and errors have ended, one after the other, whatever happened.
4. the end state is the worst of the main children's; handlers never count.

Invariant: a parent never ends while one of its task runs is live.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from penstock.engine.actions import Observation, StopAttempt
from penstock.engine.attempts import Attempts
from penstock.engine.board import Board, task_run_id
from penstock.engine.evaluation import Evaluation
from penstock.engine.flowable import Child, Flowable, FlowableError, Lane, Plan, in_sequence
from penstock.engine.instant_task import Effect, InstantFailure, InstantTask, Scene
from penstock.engine.ledger import Ledger
from penstock.engine.limits import Limits
from penstock.engine.states import worst
from penstock.engine.tree import FlowTree
from penstock.expressions import ExpressionError, is_truthy
from penstock.flow.task import RunnableTask, Task
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
        board: Board,
        attempts: Attempts,
        evaluation: Evaluation,
        ledger: Ledger,
        limits: Limits,
        now: datetime,
    ) -> None:
        self._tree = tree
        self._board = board
        self._attempts = attempts
        self._evaluation = evaluation
        self._ledger = ledger
        self._limits = limits
        self._now = now
        self.waiting = 0
        """Task runs that are known to come, for the progress that is shown."""
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

    def _leave(self, end: State) -> State | None:
        """End the execution as a task said: once nothing runs any more, or at once if killed."""
        running = False
        opened: list[TaskRun] = []
        for run in self._board:
            if run.state.terminated:
                continue
            live = [attempt for attempt in run.attempts if not attempt.state.terminated]
            if end is State.KILLED:
                self.stops += [StopAttempt(run, attempt) for attempt in live]
                self._attempts.close(run, State.KILLED)
            elif live:
                running = True
            elif run.attempts:
                self._attempts.close(run, State.CANCELLED)
            else:
                opened.append(run)
        if running:
            return None
        for run in opened:
            self._attempts.close(run, end)
        self.waiting = 0
        return end

    def _settle(self, parent: _Parent) -> State | None:
        self._settle_open_children(parent)
        main_ended = self._advance(parent, parent.plan, stop_on_failure=True)
        failed = self._failed(parent)
        errors_ended = not failed or self._advance_handlers(parent, parent.errors)
        if not (main_ended and errors_ended):
            return None
        if not self._advance_handlers(parent, parent.finally_):
            return None
        return worst(run.state for run in self._main_runs(parent))

    def _settle_open_children(self, parent: _Parent) -> None:
        for run in self._board.children(parent.id):
            task = self._tree[run.task_id].task
            if run.state.terminated or self._ledger.exit is not None:
                continue
            if isinstance(task, Flowable):
                self._settle_flowable(run, task)
            elif run.next_attempt is not None and run.next_attempt <= self._now:
                self._begin(run, task)

    def _settle_flowable(self, run: TaskRun, task: Flowable) -> None:
        state = self._settle(_Parent(run, task.plan(run), task.errors, task.finally_))
        if state is not None and self._ledger.exit is None:
            state = self._evaluation.allowed(run, task, task.outcome(state))
            self._board.change(run, state=state, end_date=self._now)

    def _advance_handlers(self, parent: _Parent, tasks: Sequence[Task]) -> bool:
        return self._advance(parent, in_sequence(tasks), stop_on_failure=False)

    def _advance(self, parent: _Parent, plan: Plan, *, stop_on_failure: bool) -> bool:
        """Start what may start. True when nothing of the plan is live or still to come."""
        failed = stop_on_failure and self._failed(parent)
        lanes = [(lane, *self._advance_lane(parent, lane.children, False)) for lane in plan.lanes]
        live = sum(outcome is _Lane.LIVE for _, outcome, _ in lanes)
        pending = remaining = 0
        for lane, outcome, unstarted in lanes:
            may_start = not failed and (plan.limit == 0 or live < plan.limit)
            if outcome is _Lane.PENDING and may_start and self._is_free(parent, lane):
                outcome, unstarted = self._advance_lane(parent, lane.children, True)
                live += outcome is _Lane.LIVE
            pending += outcome is _Lane.PENDING
            failed = failed or (stop_on_failure and outcome is _Lane.FAILED)
            remaining += unstarted
        if not failed:
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
                if not may_start or self._ledger.exit is not None:
                    return _Lane.PENDING, len(children) - index
                run = self._start(child, parent)
            if not run.state.terminated:
                return _Lane.LIVE, len(children) - index - 1
            if run.state is State.FAILED:
                return _Lane.FAILED, 0
        return _Lane.ENDED, 0

    def _failed(self, parent: _Parent) -> bool:
        return any(run.state is State.FAILED for run in self._main_runs(parent))

    def _main_runs(self, parent: _Parent) -> list[TaskRun]:
        handlers = {task.id for task in (*parent.errors, *parent.finally_)}
        return [run for run in self._board.children(parent.id) if run.task_id not in handlers]

    def _start(self, child: Child, parent: _Parent) -> TaskRun:
        """Open a task run, as far as it goes at once: a skipped task ends where it starts."""
        if len(self._board) >= self._limits.task_runs:
            raise LimitExceeded(f"the execution needs more than {self._limits.task_runs} task runs")
        task = child.task
        run = self._board.put(
            TaskRun(
                id=task_run_id(parent.id, child),
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
        if isinstance(task, RunnableTask):
            return self._attempts.begin(run, task)
        assert isinstance(task, InstantTask)
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
        run = self._board.change(run, state=State.RUNNING, outputs=opening.outputs, values=values)
        self._settle_flowable(run, task)
        return self._board[run.id]
