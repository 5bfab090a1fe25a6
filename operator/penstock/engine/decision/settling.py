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
from datetime import datetime

from penstock.engine.decision.advancing import Advancing
from penstock.engine.decision.attempts import Attempts
from penstock.engine.decision.children import ChildExecutions
from penstock.engine.decision.execution_retry import ExecutionRetries
from penstock.engine.decision.starting import Starting
from penstock.engine.interface.actions import StopAttempt
from penstock.engine.interface.executable import ExecutableTask
from penstock.engine.interface.flowable import Again, Flowable, FlowableError, Going, in_sequence
from penstock.engine.interface.identity import Identity
from penstock.engine.interface.limits import Limits
from penstock.engine.interface.states import worst
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.engine.state.parents import Parent, handlers
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.tree import FlowTree
from penstock.expressions import ExpressionError
from penstock.flow.task import Task
from penstock.resources.execution import State, TaskRun


class Settling:
    """One decision over the whole execution."""

    def __init__(
        self,
        tree: FlowTree,
        identity: Identity,
        board: TaskRunIndex,
        attempts: Attempts,
        children: ChildExecutions,
        retries: ExecutionRetries,
        evaluation: Evaluation,
        ledger: ExecutionChanges,
        limits: Limits,
        now: datetime,
    ) -> None:
        self._tree = tree
        self._board = board
        self._attempts = attempts
        self._children = children
        self._retries = retries
        self._evaluation = evaluation
        self._ledger = ledger
        self._limits = limits
        self._now = now
        self._starting = Starting(
            board, attempts, evaluation, ledger, limits, now, self._settle_flowable
        )
        self._advancing = Advancing(
            tree, identity, board, attempts, evaluation, ledger, self._starting
        )
        self.stops: list[StopAttempt] = []
        """Attempts that must not go on."""

    @property
    def waiting(self) -> int:
        """Task runs that are known to come, for the progress that is shown."""
        return self._advancing.waiting

    @property
    def at_breakpoints(self) -> list[str]:
        """Ids of the task runs that wait at a breakpoint, as far as settling found them."""
        return self._advancing.at_breakpoints

    def settle(self) -> State | None:
        """Settle the execution. Its end state, or None while something is open.

        Raises :class:`penstock.engine.decision.starting.LimitExceeded`.
        """
        flow = self._tree.flow
        end: State | None = None
        if self._ledger.exit is None:
            top = Parent(None, self._tree.plan, flow.errors, flow.finally_, self._tree.handlers)
            end = self._settle(top)
        exit_ = self._ledger.exit
        return end if exit_ is None else self._leave(exit_)

    def settle_after(self) -> State | None:
        """Settle what runs after the end. Its own end state, or None while something is open."""
        parent = Parent(None, in_sequence(self._tree.flow.after_execution))
        self._settle_open_children(parent)
        if not self._advancing.advance(parent, "after", parent.plan, stop_on_failure=False):
            return None
        ids = {task.id for task in self._tree.flow.after_execution}
        return worst(run.state for run in self._board.children(None) if run.task_id in ids)

    def _leave(self, end: State) -> State | None:
        """End the execution as was said: once nothing runs any more, or at once if it must."""
        self._advancing.waiting = 0
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
            elif not isinstance(self._tree[run.task_id].task, Flowable):
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

    def _settle(self, parent: Parent) -> State | None:
        self._settle_open_children(parent)
        main_ended = self._advancing.advance(parent, "main", parent.plan)
        if parent.run is not None:
            parent = replace(parent, run=self._board[parent.run.id])
        failed = parent.failed(self._board)
        if parent.run is not None and not failed:
            if parent.run.state is State.PAUSED:
                return None
            asks = main_ended and parent.run.verdict is None and not self._is_leaving(parent)
            if asks and not self._proceed(parent.run):
                return None
            parent = replace(parent, run=self._board[parent.run.id])
            failed = parent.failed(self._board)
        errors_ended = not failed or self._advance_handlers(parent, "errors", parent.errors)
        if not (main_ended and errors_ended):
            return None
        if not self._advance_handlers(parent, "finally", parent.finally_):
            return None
        states = [run.state for run in parent.main_runs(self._board)]
        return worst(states if parent.verdict is None else [*states, parent.verdict])

    def _is_leaving(self, parent: Parent) -> bool:
        """Whether `finally` has begun: what follows the children was decided before it."""
        return any(
            self._advancing.has_begun(parent, lane) for lane in in_sequence(parent.finally_).lanes
        )

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
            self._board.move(
                run,
                State.PAUSED,
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
        self._board.move(
            run,
            State.RUNNING,
            next_attempt=None,
            outputs=run.outputs if going.outputs is None else going.outputs,
            verdict=going.verdict,
            message=going.message if going.verdict is not None else run.message,
        )

    def _settle_open_children(self, parent: Parent) -> None:
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
                self._starting.begin(run, task)

    def _settle_flowable(self, run: TaskRun, task: Flowable) -> None:
        if self._ledger.exit is not None:
            return
        own = handlers(task.errors, task.finally_)
        parent = Parent(run, task.plan(run), task.errors, task.finally_, own)
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
        self._board.move(run, state, end_date=self._now)

    def _advance_handlers(self, parent: Parent, kind: str, tasks: Sequence[Task]) -> bool:
        return self._advancing.advance(parent, kind, in_sequence(tasks), stop_on_failure=False)
