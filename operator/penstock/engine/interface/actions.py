"""What the engine asks of the world, and what the world tells it.

The order of effects is the caller's duty and always the same: the step's status is stored first,
then its actions are taken. After a crash in between, the next step asks for the same actions
again, so each action must be safe to take twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from penstock.engine.interface.secrets import NO_SECRETS, Secrets
from penstock.engine.interface.selecting import (
    CountExecutions,
    PurgeExecutions,
    PurgeLogs,
    PurgePairs,
)
from penstock.flow.task import RunnableTask, Task, TaskCache
from penstock.resources.execution import (
    Attempt,
    Control,
    ExecutionSpec,
    ExecutionStatus,
    State,
    TaskRun,
)

DIRECTORY_LOST = "DirectoryLost"
"""The reason of an attempt that was lost with the directory in which it ran."""

AttemptKey = tuple[str, int]
"""A task run's id and the attempt's number: one Job."""


class Published(Protocol):
    """A metric as a task published it."""

    @property
    def type(self) -> Literal["counter", "timer", "gauge"]: ...
    @property
    def name(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


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
    metrics: Sequence[Published] = ()
    """What the attempt published."""
    effects: tuple[Any, ...] = ()
    """What a successful task wants changed in the world. Whoever observes makes it so before the
    engine is asked, and fails the attempt where it can't be."""

    @property
    def directory_lost(self) -> bool:
        """Whether a WorkingDirectory was lost with the attempt, and so what the tasks before it
        had left there."""
        return self.state is State.RESUBMITTED and self.reason == DIRECTORY_LOST


@dataclass(frozen=True)
class ChildSeen:
    """What is known of an execution that this one made."""

    status: ExecutionStatus
    """The status; once it has ended, with the outputs that are kept beside it."""


Children = Mapping[str, ChildSeen]
"""What is seen of executions, by their names."""


@dataclass(frozen=True)
class Workspace:
    """A directory that several attempts share, one after the other."""

    id: str
    """The id of the WorkingDirectory's task run."""
    properties: Mapping[str, Any]
    """What stands in it at first and what is kept of it: `inputFiles`, `namespaceFiles`,
    `outputFiles` and `cache`, rendered."""
    left_by: tuple[tuple[str, str, int], ...] = ()
    """The attempts that were in it before and have ended, the latest first: task, task run, number.
    Where the directory lies on no common disk, one of them has left it."""
    failed: bool = False
    """Whether one of its tasks has failed: then nothing is missed of what it was to make."""
    entered: bool = False
    """Whether one of its tasks has run."""
    task: str = ""
    """The id of the WorkingDirectory."""
    attempt: int = 1
    """One more than directories of this task run were lost. What the directory's own pod is
    called by."""
    tasks: tuple[Task, ...] = ()
    """The tasks that are to run in it."""

    @property
    def key(self) -> AttemptKey:
        """The WorkingDirectory's own attempt, which takes what the tasks have left."""
        return self.id, self.attempt


@dataclass(frozen=True)
class StartAttempt:
    """Let there be exactly one Job for this attempt."""

    task_run: TaskRun
    attempt: Attempt
    task: Task
    """A runnable task; or a WorkingDirectory, of which what it keeps is to be taken."""
    properties: Mapping[str, Any]
    """The task's own properties, rendered."""
    timeout: timedelta | None = None
    workspace: Workspace | None = None
    """Where it runs; a directory of its own where this is None."""
    secrets: Secrets = NO_SECRETS
    """What the tokens in the properties stand for."""

    @property
    def written(self) -> Mapping[str, Any]:
        """The task's own properties as they stand in the flow."""
        return self.task.properties if isinstance(self.task, RunnableTask) else {}

    @property
    def cache(self) -> TaskCache | None:
        """How the outputs of an earlier run may be taken in place of this one; None where it has
        to run. What a task in a shared directory does there is not in its outputs, and a
        secret may be another one by now."""
        cache = self.task.task_cache
        spares = cache is not None and cache.enabled
        spares = spares and self.workspace is None and not self.secrets
        return cache if spares else None

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


@dataclass(frozen=True)
class StartExecution:
    """Let there be exactly one execution of this name."""

    name: str
    spec: ExecutionSpec
    secrets: Secrets = NO_SECRETS
    """What the tokens in its inputs stand for."""
    control: str | None = None
    """The id of the control that wants it, where one does: made before the status names it, as
    nobody asks for it a second time. Where it can't be made, that control is refused."""


@dataclass(frozen=True)
class ControlExecution:
    """Let another execution have this control in its spec."""

    name: str
    control: Control


@dataclass(frozen=True)
class KillExecution:
    """Let another execution be asked to end."""

    name: str


@dataclass(frozen=True)
class ResumeExecution:
    """Let a paused execution go on."""

    execution: str
    inputs: Mapping[str, Any]
    secrets: Secrets = NO_SECRETS
    """What the tokens in its inputs stand for."""


@dataclass(frozen=True)
class ToggleTrigger:
    """Let a trigger of a flow be enabled, or disabled, until it is toggled again."""

    namespace: str
    flow_id: str
    trigger: str
    enabled: bool


Purge = PurgeExecutions | PurgeLogs | PurgePairs
Command = ResumeExecution | ToggleTrigger | CountExecutions | Purge


@dataclass(frozen=True)
class Perform:
    """Let this be done, and told as the observation of the attempt."""

    task_run: TaskRun
    attempt: Attempt
    command: Command

    @property
    def key(self) -> AttemptKey:
        return self.task_run.id, self.attempt.number


@dataclass(frozen=True)
class KeepSecrets:
    """Let a Secret of the execution's own hold these values; before the status names it, as
    nobody asks for it a second time."""

    name: str
    values: Mapping[str, str] = field(repr=False)


Action = (
    StartAttempt
    | StopAttempt
    | StartExecution
    | ControlExecution
    | KillExecution
    | Perform
    | KeepSecrets
)


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

    def with_reports(self, *reports: Report) -> Step:
        """Add reports to the step."""
        return replace(self, reports=(*self.reports, *reports))

    def followed_by(self, step: Step) -> Step:
        """Make one step of two decisions that follow each other at once."""
        return Step(
            status=step.status,
            actions=(*self.actions, *step.actions),
            reports=(*self.reports, *step.reports),
            wake=step.wake,
            refusal=self.refusal or step.refusal,
        )
