"""Attempts: how a runnable task's tries follow each other."""

from __future__ import annotations

from datetime import datetime

from penstock.engine.decision.attempt_requests import AttemptRequests
from penstock.engine.decision.children import ChildExecutions
from penstock.engine.decision.execution_retry import ExecutionRetries
from penstock.engine.interface.actions import Observation, Perform, Report, StartAttempt
from penstock.engine.interface.executable import ExecutableTask
from penstock.engine.interface.flowable import Flowable, FlowableError
from penstock.engine.interface.limits import Limits
from penstock.engine.kinds.flowables.working_directory import lost_directories
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.state.metrics import added_metrics
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.transitions import INITIAL, move_attempt
from penstock.engine.state.tree import FlowTree
from penstock.expressions import ExpressionError
from penstock.flow.retries import Retry
from penstock.flow.task import Task
from penstock.resources.execution import Attempt, State, TaskRun


class Attempts:
    """Begins, follows and ends the attempts of task runs, during one decision."""

    def __init__(
        self,
        tree: FlowTree,
        run_index: TaskRunIndex,
        evaluation: Evaluation,
        children: ChildExecutions,
        retries: ExecutionRetries,
        limits: Limits,
        now: datetime,
    ) -> None:
        self._tree = tree
        self._run_index = run_index
        self._evaluation = evaluation
        self._children = children
        self._retries = retries
        self._limits = limits
        self._now = now
        self._requests = AttemptRequests(tree, run_index, evaluation)
        self.requested: list[StartAttempt | Perform] = []
        self.reports: list[Report] = []

    def begin(self, run: TaskRun, task: Task) -> TaskRun:
        """Write the intent of the next attempt, and ask for what it is done by."""
        attempt = self._next(run)
        if isinstance(task, ExecutableTask):
            attempt = self._with_execution(run, task, attempt)
        run = self._run_index.move(
            run,
            State.RUNNING if isinstance(task, Flowable) else State.CREATED,
            next_attempt=None,
            attempts=[*run.attempts, attempt],
        )
        return self.request(run, task)

    def _with_execution(self, run: TaskRun, task: ExecutableTask, attempt: Attempt) -> Attempt:
        """A restart goes on with the execution that failed; any other attempt makes a new one."""
        last = run.attempts[-1] if run.attempts else None
        if run.state is State.RESTARTED and last is not None and task.restarts_children():
            return attempt.model_copy(update={"execution": last.execution, "restarts": True})
        name = self._children.name(run, attempt.number)
        return attempt.model_copy(update={"execution": name})

    def record(self, run: TaskRun) -> TaskRun:
        """Write an attempt that the engine makes itself, now."""
        begun = move_attempt(run, self._next(run), State.RUNNING, start_date=self._now)
        attempts = [*run.attempts, begun]
        return self._run_index.move(run, State.RUNNING, next_attempt=None, attempts=attempts)

    def _next(self, run: TaskRun) -> Attempt:
        return Attempt(number=len(run.attempts) + 1, state=INITIAL, created_date=self._now)

    def begin_closing(self, run: TaskRun, task: Flowable) -> TaskRun:
        """Begin the attempt that takes what a flowable's children left, where there is none, or
        where all before it were lost and another may follow."""
        lost = sum(attempt.state is State.RESUBMITTED for attempt in run.attempts)
        if lost == len(run.attempts) and lost <= self._limits.lost_attempts:
            return self.begin(run, task)
        return run

    def request(self, run: TaskRun, task: Task) -> TaskRun:
        """Ask for what does the last attempt; it may be asked for again after a crash."""
        if isinstance(task, ExecutableTask):
            seen = self._children.follow(run, task)
            return run if seen is None else self.observe(run, task, seen)
        try:
            action = self._requests.action(run, task)
        except (ExpressionError, FlowableError, ValueError) as error:
            failed = Observation(State.FAILED, reason="InvalidExpression", message=str(error))
            return self.finish(run, task, failed)
        self.requested.append(action)
        return run

    def observe(self, run: TaskRun, task: Task, seen: Observation) -> TaskRun:
        """Take in what is known of the last attempt."""
        attempt = run.attempts[-1]
        if seen.state.terminated:
            return self.finish(run, task, seen)
        if seen.state is State.RUNNING and attempt.state is State.CREATED:
            start = _not_before(attempt.created_date, seen.start_date or self._now)
            attempts = [
                *run.attempts[:-1],
                move_attempt(run, attempt, seen.state, start_date=start),
            ]
            outputs = dict(seen.outputs) if seen.outputs is not None else run.outputs
            return self._run_index.move(run, State.RUNNING, attempts=attempts, outputs=outputs)
        return run

    def finish(self, run: TaskRun, task: Task, seen: Observation) -> TaskRun:
        """End the last attempt, and decide whether another follows."""
        run = self._end_attempt(run, seen)
        if isinstance(task, Flowable):
            # Its own attempt only takes what its children left: its end is settled with theirs.
            if seen.directory_lost:
                self._empty_directory(run, seen)
            return run
        if seen.state is State.RESUBMITTED:
            return self._after_loss(run, task, seen)
        if seen.state is State.FAILED:
            return self._after_failure(run, task, seen)
        message = seen.message if isinstance(task, ExecutableTask) else None
        return self._end(run, task, self._success_state(run, task, seen.state), message)

    def _end_attempt(self, run: TaskRun, seen: Observation) -> TaskRun:
        last = run.attempts[-1]
        start = _not_before(last.created_date, seen.start_date or last.start_date)
        end = _not_before(start or last.created_date, seen.end_date or self._now)
        ended = move_attempt(
            run,
            last,
            seen.state,
            start_date=start,
            end_date=end,
            exit_code=seen.exit_code,
            reason=seen.reason,
            message=seen.message,
        )
        return self._run_index.change(
            run,
            attempts=[*run.attempts[:-1], ended],
            outputs=dict(seen.outputs) if seen.outputs is not None else run.outputs,
            **added_metrics(run, seen.metrics),
        )

    def close(self, run: TaskRun, state: State) -> TaskRun:
        """End a task run where it stands, because the execution ends."""
        attempts = [
            attempt
            if attempt.state.terminated
            else move_attempt(run, attempt, state, end_date=self._now)
            for attempt in run.attempts
        ]
        return self._run_index.move(
            run, state, end_date=self._now, next_attempt=None, attempts=attempts
        )

    def fail_unstarted(self, run: TaskRun, task: Task, message: str) -> TaskRun:
        """Fail a task run that has no attempt: its condition or its opening went wrong."""
        self._report("TaskFailed", run, f"failed: {message}", warning=True)
        return self._run_index.move(
            run,
            self._evaluation.allowed(run, task, State.FAILED),
            end_date=self._now,
            message=message,
        )

    def tell_failure(self, run: TaskRun, message: str) -> None:
        """Report that a flowable failed by its own rules."""
        self._report("TaskFailed", run, f"failed: {message}", warning=True)

    def _again(self, run: TaskRun, date: datetime) -> TaskRun:
        """Let another attempt follow. It is begun by the settling, once everything that happened
        is taken in: an attempt sees all outputs that there are."""
        return self._run_index.move(run, State.RETRYING, next_attempt=date)

    def _after_loss(self, run: TaskRun, task: Task, seen: Observation) -> TaskRun:
        if seen.directory_lost and run.parent is not None:
            return self._after_lost_directory(run, self._run_index[run.parent], task, seen)
        lost = sum(attempt.state is State.RESUBMITTED for attempt in run.attempts)
        if lost <= self._limits.lost_attempts:
            self._report("TaskLost", run, f"lost ({seen.reason}), is run again", warning=True)
            return self._again(run, self._now)
        message = f"lost with its infrastructure {_times(lost)} ({seen.reason})"
        return self._end(run, task, State.FAILED, message)

    def _after_lost_directory(
        self, run: TaskRun, around: TaskRun, task: Task, seen: Observation
    ) -> TaskRun:
        """A task of a WorkingDirectory was lost with the directory: what the tasks before it made
        is gone, so they all run again, as an attempt of the WorkingDirectory."""
        begun = self._next(around).model_copy(update={"created_date": around.start_date})
        lost = move_attempt(
            around,
            begun,
            State.RESUBMITTED,
            start_date=around.start_date,
            end_date=self._now,
            reason=seen.reason,
            message=seen.message,
            job=run.attempts[-1].job,
        )
        around = self._run_index.change(around, attempts=[*around.attempts, lost])
        if self._empty_directory(around, seen):
            return run
        message = f"lost with its infrastructure {_times(lost.number)} ({seen.reason})"
        return self._end(run, task, State.FAILED, message)

    def _empty_directory(self, run: TaskRun, seen: Observation) -> bool:
        """Let the tasks of a WorkingDirectory begin anew; False where that was done too often."""
        if len(lost_directories(run)) > self._limits.lost_attempts:
            return False
        self._report("TaskLost", run, f"lost ({seen.reason}), is run again", warning=True)
        self._run_index.clear(run)
        return True

    def _after_failure(self, run: TaskRun, task: Task, seen: Observation) -> TaskRun:
        retry = self._retry_of(run, task)
        if self._retries.retry_as_a_whole(run, retry):
            return self._end(run, task, State.RETRIED, seen.message)
        date = self._next_attempt(run, retry)
        if date is None or len(run.attempts) >= self._limits.attempts:
            return self._end(run, task, State.FAILED, seen.message)
        again = f"failed ({seen.message}), {self._announcement(run, task, date)}"
        self._report("TaskRetrying", run, again, warning=True)
        return self._again(run, date)

    def _retry_of(self, run: TaskRun, task: Task) -> Retry | None:
        """Find the retry that counts after a failure. The retry of the flow, or of a flowable, is
        for what would fail it: it leaves alone a task that may fail."""
        if task.retry is None and self._evaluation.may_fail(run, task):
            return None
        return self._tree.retry_of(task)

    def _next_attempt(self, run: TaskRun, retry: Retry | None) -> datetime | None:
        tried = [attempt for attempt in run.attempts if attempt.state is not State.RESUBMITTED]
        if retry is None or retry.behavior != "RETRY_FAILED_TASK":
            return None
        first = tried[0].start_date or tried[0].created_date
        last = tried[-1].end_date or self._now
        random = self._evaluation.random(f"retry/{run.id}/{len(tried)}")
        return retry.next_date(len(tried), first, last, random)

    def _announcement(self, run: TaskRun, task: Task, date: datetime) -> str:
        """Say what a person is told of the attempt to come, which is to start at a date."""
        retry = self._tree.retry_of(task)
        lost = sum(attempt.state is State.RESUBMITTED for attempt in run.attempts)
        number = len(run.attempts) + 1 - lost
        return "" if retry is None else retry.announcement(number, date - self._now)

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
        return self._run_index.move(
            run,
            self._evaluation.allowed(run, task, state),
            next_attempt=None,
            end_date=run.attempts[-1].end_date or self._now,
            message=message,
        )

    def _report(self, reason: str, run: TaskRun, text: str, *, warning: bool = False) -> None:
        name = f"task {run.task_id}" + (f" [{run.value}]" if run.value is not None else "")
        self.reports.append(Report(reason, f"{name} {text}", warning))


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _not_before(earliest: datetime, date: datetime | None) -> datetime | None:
    """Bring a date of the cluster, whose clock shows whole seconds, in order with our own."""
    return None if date is None else max(earliest, date)
