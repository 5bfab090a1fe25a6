"""What the engine asks of the world, and what the world tells it.

The order of effects is the caller's duty and always the same: the step's status is stored first,
then its actions are taken. After a crash in between, the next step asks for the same actions
again, so each action must be safe to take twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from penstock.flow.task import RunnableTask
from penstock.resources.execution import Attempt, ExecutionStatus, State, TaskRun

AttemptKey = tuple[str, int]
"""A task run's id and the attempt's number: one Job."""


@dataclass(frozen=True)
class Observation:
    """What is known of one attempt's Job and pod."""

    state: State
    """CREATED (the Job is there), RUNNING, SUCCESS, FAILED, KILLED, or RESUBMITTED where the
    attempt was lost with its infrastructure and no fault of its own."""
    start_date: datetime | None = None
    end_date: datetime | None = None
    exit_code: int | None = None
    reason: str | None = None
    """One word for the cause of a failure, such as `OOMKilled`."""
    message: str | None = None
    outputs: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class StartAttempt:
    """Let there be exactly one Job for this attempt."""

    task_run: TaskRun
    attempt: Attempt
    task: RunnableTask
    properties: Mapping[str, Any]
    """The task's own properties, rendered."""
    timeout: timedelta | None = None

    @property
    def key(self) -> AttemptKey:
        return self.task_run.id, self.attempt.number


@dataclass(frozen=True)
class StopAttempt:
    """Let the attempt's Job be gone."""

    task_run: TaskRun
    attempt: Attempt

    @property
    def key(self) -> AttemptKey:
        return self.task_run.id, self.attempt.number


Action = StartAttempt | StopAttempt


@dataclass(frozen=True)
class Report:
    """Something worth telling a person: it becomes a Kubernetes Event."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Step:
    """The outcome of one decision."""

    status: ExecutionStatus
    actions: tuple[Action, ...] = ()
    reports: tuple[Report, ...] = ()
    wake: datetime | None = None
    """When to decide again although nothing happened (a retry, a timeout)."""
    refusal: str | None = None
    """Why the execution was ended before anything of it ran, in one word."""
