"""Attempts: how a runnable task's tries follow each other (kestra-engine, sections 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from penstock.engine.actions import Observation, Report, StartAttempt
from penstock.engine.board import Board
from penstock.engine.evaluation import Evaluation
from penstock.engine.limits import Limits
from penstock.engine.tree import FlowTree
from penstock.expressions import ExpressionError
from penstock.flow.model import parse_duration
from penstock.flow.task import RunnableTask, Task
from penstock.resources.execution import Attempt, State, TaskRun


class Attempts:
    """The attempts of one execution's task runs during one decision."""

    def __init__(
        self,
        tree: FlowTree,
        board: Board,
        evaluation: Evaluation,
        limits: Limits,
        now: datetime,
    ) -> None:
        self._tree = tree
        self._board = board
        self._evaluation = evaluation
        self._limits = limits
        self._now = now
        self.requested: list[StartAttempt] = []
        self.reports: list[Report] = []

    def begin(self, run: TaskRun, task: RunnableTask) -> TaskRun:
        """Write the intent of the next attempt, and ask for its Job."""
        attempt = Attempt(number=len(run.attempts) + 1, state=State.CREATED, created_date=self._now)
        run = self._board.change(
            run,
            state=State.CREATED,
            next_attempt=None,
            attempts=[*run.attempts, attempt],
        )
        return self.request(run, task)

    def record(self, run: TaskRun) -> TaskRun:
        """An attempt that the engine makes itself, now."""
        attempt = Attempt(
            number=len(run.attempts) + 1,
            state=State.RUNNING,
            created_date=self._now,
            start_date=self._now,
        )
        return self._board.change(
            run, state=State.RUNNING, next_attempt=None, attempts=[*run.attempts, attempt]
        )

    def request(self, run: TaskRun, task: RunnableTask) -> TaskRun:
        """Ask for the Job of the last attempt; may be asked for again after a crash."""
        evaluator = self._evaluation.of_task_run(run, task)
        try:
            properties = evaluator.render_tree(task.properties)
            timeout = task.timeout
            if isinstance(timeout, str):
                timeout = parse_duration(evaluator.render(timeout))
        except (ExpressionError, ValueError) as error:
            failed = Observation(State.FAILED, reason="InvalidExpression", message=str(error))
            return self.finish(run, task, failed)
        self.requested.append(StartAttempt(run, run.attempts[-1], task, properties, timeout))
        return run

    def observe(self, run: TaskRun, task: RunnableTask, seen: Observation) -> TaskRun:
        """Take in what is known of the last attempt's Job."""
        attempt = run.attempts[-1]
        if seen.state.terminated:
            return self.finish(run, task, seen)
        if seen.state is State.RUNNING and attempt.state is State.CREATED:
            start = _not_before(attempt.created_date, seen.start_date or self._now)
            changes = {"state": State.RUNNING, "start_date": start}
            return self._replace_last(run, changes, state=State.RUNNING)
        return run

    def finish(self, run: TaskRun, task: Task, seen: Observation) -> TaskRun:
        """End the last attempt, and decide whether another follows."""
        last = run.attempts[-1]
        start = _not_before(last.created_date, seen.start_date or last.start_date)
        end = _not_before(start or last.created_date, seen.end_date or self._now)
        run = self._replace_last(
            run,
            {
                "state": seen.state,
                "start_date": start,
                "end_date": end,
                "exit_code": seen.exit_code,
                "reason": seen.reason,
                "message": seen.message,
            },
            outputs=dict(seen.outputs) if seen.outputs is not None else run.outputs,
        )
        if seen.state is State.RESUBMITTED:
            return self._after_loss(run, task, seen)
        if seen.state is State.FAILED:
            return self._after_failure(run, task, seen)
        return self._end(run, task, self._success_state(run, task, seen.state))

    def close(self, run: TaskRun, state: State) -> TaskRun:
        """End a task run where it stands, because the execution ends."""
        attempts = [
            attempt
            if attempt.state.terminated
            else attempt.model_copy(update={"state": state, "end_date": self._now})
            for attempt in run.attempts
        ]
        return self._board.change(
            run, state=state, end_date=self._now, next_attempt=None, attempts=attempts
        )

    def fail_unstarted(self, run: TaskRun, task: Task, message: str) -> TaskRun:
        """Fail a task run that has no attempt: its condition or its opening went wrong."""
        self._report("TaskFailed", run, f"failed: {message}", warning=True)
        return self._board.change(
            run,
            state=self._evaluation.allowed(run, task, State.FAILED),
            end_date=self._now,
            message=message,
        )

    def _again(self, run: TaskRun, date: datetime) -> TaskRun:
        """Let another attempt follow. It is begun by the settling, once everything that happened
        is taken in: an attempt sees all outputs that there are."""
        return self._board.change(run, state=State.RETRYING, next_attempt=date)

    def _after_loss(self, run: TaskRun, task: Task, seen: Observation) -> TaskRun:
        lost = sum(attempt.state is State.RESUBMITTED for attempt in run.attempts)
        if lost <= self._limits.lost_attempts:
            self._report("TaskLost", run, f"lost ({seen.reason}), is run again", warning=True)
            return self._again(run, self._now)
        message = f"lost with its infrastructure ({seen.reason}), for the {lost}. time"
        return self._end(run, task, State.FAILED, message)

    def _after_failure(self, run: TaskRun, task: Task, seen: Observation) -> TaskRun:
        date = self._next_attempt(run, task)
        if date is None or len(run.attempts) >= self._limits.attempts:
            return self._end(run, task, State.FAILED, seen.message)
        self._report("TaskRetrying", run, f"failed ({seen.message}), is tried again", warning=True)
        return self._again(run, date)

    def _next_attempt(self, run: TaskRun, task: Task) -> datetime | None:
        retry = self._tree.retry_of(task)
        tried = [attempt for attempt in run.attempts if attempt.state is not State.RESUBMITTED]
        if retry is None or retry.behavior != "RETRY_FAILED_TASK":
            return None
        first = tried[0].start_date or tried[0].created_date
        last = tried[-1].end_date or self._now
        random = self._evaluation.random(f"retry/{run.id}/{len(tried)}")
        return retry.next_date(len(tried), first, last, random)

    def _success_state(self, run: TaskRun, task: Task, state: State) -> State:
        retry = self._tree.retry_of(task)
        failed_before = any(attempt.state is State.FAILED for attempt in run.attempts)
        if (
            state is State.SUCCESS
            and retry is not None
            and retry.warning_on_retry
            and failed_before
        ):
            return State.WARNING
        return state

    def _end(self, run: TaskRun, task: Task, state: State, message: str | None = None) -> TaskRun:
        if state is State.FAILED:
            self._report("TaskFailed", run, f"failed: {message}", warning=True)
        return self._board.change(
            run,
            state=self._evaluation.allowed(run, task, state),
            end_date=run.attempts[-1].end_date or self._now,
            message=message,
        )

    def _replace_last(self, run: TaskRun, changes: Mapping[str, Any], **of_run: Any) -> TaskRun:
        last = run.attempts[-1].model_copy(update=changes)
        return self._board.change(run, attempts=[*run.attempts[:-1], last], **of_run)

    def _report(self, reason: str, run: TaskRun, text: str, *, warning: bool = False) -> None:
        name = f"task {run.task_id}" + (f" [{run.value}]" if run.value is not None else "")
        self.reports.append(Report(reason, f"{name} {text}", warning))


def _not_before(earliest: datetime, date: datetime | None) -> datetime | None:
    """A date of the cluster's, whose clock shows whole seconds, in order with our own dates."""
    return None if date is None else max(earliest, date)
