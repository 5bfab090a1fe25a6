"""Retries with `CREATE_NEW_EXECUTION`: the execution ends RETRIED, and another does it again."""

from __future__ import annotations

from datetime import datetime

from penstock.engine.decision.children import retry_name
from penstock.engine.interface.actions import Children, KillExecution, StartExecution
from penstock.engine.interface.identity import Identity
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.flow.document import Flow
from penstock.flow.retries import Retry
from penstock.resources.execution import (
    ExecutionSpec,
    ExecutionStatus,
    FlowReference,
    RetryReference,
    State,
    TaskRun,
)


class ExecutionRetries:
    """Decides whether the execution is tried again as a whole."""

    def __init__(
        self,
        flow: Flow,
        identity: Identity,
        status: ExecutionStatus,
        evaluation: Evaluation,
        changes: ExecutionChanges,
        children: Children,
        now: datetime,
    ) -> None:
        self._flow = flow
        self._identity = identity
        self._status = status
        self._evaluation = evaluation
        self._changes = changes
        self._children = children
        self._now = now
        self.requested: StartExecution | None = None
        self.cancelled: KillExecution | None = None

    def retry_as_a_whole(self, run: TaskRun, retry: Retry | None) -> bool:
        """Whether the retry of a failed task run calls for another execution.

        The attempts that are counted are executions, since the first of them was made.
        """
        if retry is None or retry.behavior != "CREATE_NEW_EXECUTION" or self._changes.over:
            return False
        if self._changes.exit is not None:
            return self._changes.exit is State.RETRIED
        if self._next_date(run, retry) is None:
            return False
        self._changes.leave(State.RETRIED)
        return True

    def is_there(self, run: TaskRun, retry: Retry | None) -> bool:
        """Whether the execution that retries this one was made; it is asked for until it is.

        Only then may this one end: of an execution that has ended nothing is decided any more.
        """
        number = self._identity.number + 1
        name = retry_name(self._identity.original, number)
        if name in self._children:
            return True
        date = self._next_date(run, retry) if retry is not None else None
        spec = self._spec(number, self._first_date(), date or self._now)
        self.requested = StartExecution(name, spec)
        return False

    def call_off(self) -> None:
        """Let the retry end as well, where the execution is killed while it is being retried: it
        may be there already."""
        self.cancelled = KillExecution(
            retry_name(self._identity.original, self._identity.number + 1)
        )

    def _next_date(self, run: TaskRun, retry: Retry) -> datetime | None:
        number = self._identity.number
        random = self._evaluation.random(f"retry/execution/{number}")
        end = run.attempts[-1].end_date or self._now
        return retry.next_date(number, self._first_date(), end, random)

    def _first_date(self) -> datetime:
        retry = self._identity.retry
        return retry.first_date if retry is not None else self._identity.created

    def _spec(self, number: int, first: datetime, date: datetime) -> ExecutionSpec:
        return ExecutionSpec(
            flow=FlowReference(
                namespace=self._flow.namespace,
                id=self._flow.id,
                revision=self._identity.revision,
            ),
            inputs=self._status.inputs,
            labels=self._changes.labels,
            trigger=self._identity.trigger,
            schedule_date=date,
            priority=self._identity.priority,
            retry=RetryReference(
                original=self._identity.original, attempt=number, first_date=first
            ),
            parent=self._identity.parent,
        )
