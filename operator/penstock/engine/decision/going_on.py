"""Going on: what an open flowable decides of itself, once its children have ended or its hold has
lasted as long as it may, and how it ends."""

from __future__ import annotations

from datetime import datetime

from penstock.engine.decision.attempts import Attempts
from penstock.engine.interface.flowable import Again, Flowable, FlowableError, Going
from penstock.engine.interface.states import worst
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.expressions import ExpressionError
from penstock.resources.execution import State, TaskRun


class GoingOn:
    """Asks flowables how they go on, and takes in what they say, during one decision."""

    def __init__(
        self,
        run_index: TaskRunIndex,
        attempts: Attempts,
        evaluation: Evaluation,
        changes: ExecutionChanges,
        now: datetime,
    ) -> None:
        self._run_index = run_index
        self._attempts = attempts
        self._evaluation = evaluation
        self._changes = changes
        self._now = now

    def is_due(self, run: TaskRun) -> bool:
        """Whether the date has come for which a task run waits."""
        return run.next_attempt is not None and run.next_attempt <= self._now

    def expire(self, run: TaskRun, task: Flowable) -> None:
        """Let a held flowable go on by itself."""
        self._go_on(run, task.expire(run, self._now))

    def proceed(self, run: TaskRun, task: Flowable) -> bool:
        """Ask a flowable whose children have ended what follows. False where it is not its end."""
        try:
            next_ = task.proceed(run, self._evaluation.of_task_run(run, task), self._now)
        except (ExpressionError, FlowableError, ValueError) as error:
            next_ = Going(verdict=State.FAILED, message=str(error))
        if isinstance(next_, Again):
            self._run_index.clear(run)
            date = self._now + next_.wait
            self._run_index.move(run, State.PAUSED, next_attempt=date, outputs=next_.outputs)
            return False
        self._go_on(run, next_)
        return self._changes.exit is None

    def end(self, run: TaskRun, task: Flowable, state: State) -> None:
        """End a flowable in the state that its children and its own verdict give; where an attempt
        of its own closes it, once that has ended."""
        if task.closes(run):
            run = self._attempts.begin_closing(run, task)
            closing = run.attempts[-1]
            if not closing.state.terminated:
                return
            failed = closing.state in (State.FAILED, State.RESUBMITTED)
            state = worst([state, State.FAILED if failed else closing.state])
            if failed:
                run = self._run_index.change(run, message=closing.message or closing.reason)
        state = self._evaluation.allowed(run, task, task.outcome(state))
        self._run_index.move(run, state, end_date=self._now)

    def _go_on(self, run: TaskRun, going: Going) -> None:
        if going.exit is not None:
            self._changes.leave(going.exit, f"task {run.task_id}: {going.message}")
        if going.verdict is State.FAILED:
            self._attempts.tell_failure(run, going.message or "failed")
        self._run_index.move(
            run,
            State.RUNNING,
            next_attempt=None,
            outputs=run.outputs if going.outputs is None else going.outputs,
            verdict=going.verdict,
            message=going.message if going.verdict is not None else run.message,
        )
