"""The Execution: one run of a flow, from what was asked to all that came of it.

These models are the shape of the resource, of what the engine decides upon, and of what
``penstock run -o json`` prints. A status is written whole, so every field is either wanted by a
user or needed to continue after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from penstock.flow.priority import GREATEST_PRIORITY, LEAST_PRIORITY
from penstock.resources.conditions import Condition


class State(StrEnum):
    """States of executions, task runs and attempts."""

    CREATED = "CREATED"
    QUEUED = "QUEUED"
    """An execution waits for a slot, as the `concurrency` of its flow or an administrator's
    limit says."""
    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    RETRIED = "RETRIED"
    """An execution ended, and another execution does it again."""
    RESTARTED = "RESTARTED"
    PAUSED = "PAUSED"
    BREAKPOINT = "BREAKPOINT"
    """An execution stopped before a task that its spec names."""
    KILLING = "KILLING"
    KILLED = "KILLED"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILED = "FAILED"
    RESUBMITTED = "RESUBMITTED"
    """An attempt was lost with its node and is followed by another."""

    @property
    def terminated(self) -> bool:
        return self in _TERMINATED


_TERMINATED = frozenset(
    {
        State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.CANCELLED, State.SKIPPED,
        State.RESUBMITTED, State.RETRIED,
    }
)  # fmt: skip


class ResourceModel(BaseModel):
    """Camel-case names; unknown fields are ignored: an older controller reads a newer object."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        defer_build=True,
    )


class FlowReference(ResourceModel):
    """Names a flow of the same Kubernetes namespace: by namespace and id, or by the Flow's name."""

    namespace: Annotated[str, Field(max_length=150)] | None = None
    """The flow's own dotted namespace."""
    id: Annotated[str, Field(max_length=100)] | None = None
    """The flow's id."""
    name: Annotated[str, Field(max_length=253)] | None = None
    """The name of the Flow resource, in place of namespace and id."""
    revision: Annotated[int, Field(ge=1)] | None = None
    """The revision to run; the newest where it is not given."""


FLOW_TRIGGER = "io.kestra.plugin.core.trigger.Flow"
OLD_FLOW_TRIGGER = "io.kestra.core.models.triggers.types.Flow"


class TriggerReference(ResourceModel):
    """What started an execution."""

    id: str
    type: str
    variables: dict[str, Any] = {}
    """What expressions see as `trigger.…`."""
    failure: str | None = None
    """Why the execution is FAILED before anything of it runs: a condition of the trigger can't be
    told, or what it waits for did not come in time."""

    @property
    def is_flow_trigger(self) -> bool:
        """Whether an execution of another flow was the reason."""
        names = (FLOW_TRIGGER.lower(), OLD_FLOW_TRIGGER.lower())
        return self.type.lower() in names


class ParentReference(ResourceModel):
    """The task run that made this execution."""

    execution: str
    """The name of the parent execution."""
    task_run: str
    attempt: int
    depth: Annotated[int, Field(ge=1)] = 1
    """How many executions are around this one."""


class CallerReference(ResourceModel):
    """The execution that called this one, as the controller knows it: see `calledBy`."""

    execution: str
    """The execution's name."""
    uid: str
    """The execution's uid, which no other execution of that name has."""


class ReplayReference(ResourceModel):
    """The execution that this one does again."""

    execution: str
    """The execution's name."""
    task: str | None = None
    """The id of the task from which to go on: what ran before it is kept. All of it is done again
    where neither this nor `taskRun` is given."""
    value: str | None = None
    """The loop's value, where the task stands in a loop."""
    task_run: str | None = None
    """The id of the task run, in place of `task` and `value`."""


class RetryReference(ResourceModel):
    """The execution of which this one is a retry."""

    original: str
    """The name of the first one."""
    attempt: Annotated[int, Field(ge=2)]
    """Which attempt this is, counted from 1."""
    first_date: datetime
    """When the first one was made."""


class ResumeRequest(ResourceModel):
    """Go on: paused tasks, a pause that was asked for, or a breakpoint."""

    task: str | None = None
    """The id of the paused task; all that are paused where neither this nor `taskRun` is given."""
    value: str | None = None
    """The loop's value, where the task stands in a loop."""
    task_run: str | None = None
    """The id of the paused task run."""
    inputs: dict[str, Any] = {}
    """Values for the task's `onResume` inputs (`inputs` of an Approval)."""
    approve: bool = True
    """What is decided of an Approval: whether it is approved or denied."""
    by: str | None = None
    """Who says so."""
    comment: str | None = None


class RestartRequest(ResourceModel):
    """Do again what failed. What succeeded is kept."""

    revision: Annotated[int, Field(ge=1)] | None = None
    """The revision of the flow to go on with; the same where it is not given."""


class ReplayRequest(ResourceModel):
    """Make another execution that does this one again."""

    task: str | None = None
    """The id of the task from which to go on; from the start where neither this nor `taskRun` is
    given."""
    value: str | None = None
    """The loop's value, where the task stands in a loop."""
    task_run: str | None = None
    revision: Annotated[int, Field(ge=1)] | None = None
    """The revision of the flow to run; the same where it is not given."""
    inputs: dict[str, Any] = {}
    """Inputs that are to be others."""


class MarkRequest(ResourceModel):
    """Give a task run another state, and go on from there."""

    task: str | None = None
    value: str | None = None
    """The loop's value, where the task stands in a loop."""
    task_run: str | None = None
    """The id of the task run, in place of `task` and `value`."""
    state: State


class StatusRequest(ResourceModel):
    """Give an execution that has ended another end state."""

    state: State


class Control(ResourceModel):
    """Something that a person wants of an execution, once.

    Exactly one of the other fields says what. `status.controls` says what became of it; one whose
    `id` stands there is never done again.
    """

    id: Annotated[str, Field(min_length=1, max_length=100)]
    """Any text that tells it from the others of this execution."""
    pause: bool | None = None
    """Start nothing new until it is resumed; what runs goes on."""
    resume: ResumeRequest | None = None
    restart: RestartRequest | None = None
    replay: ReplayRequest | None = None
    mark_as: MarkRequest | None = None
    change_status: StatusRequest | None = None
    labels: dict[str, str] | None = None
    """Labels to put on the execution."""
    force_run: bool | None = None
    """Run at once an execution that is queued or scheduled."""
    unqueue: bool | None = None
    """Run at once an execution that is queued."""
    hidden: bool | None = None
    """Set by the controller: what was given for inputs of type SECRET was replaced by the Secret
    that holds it now."""

    @property
    def kind(self) -> str | None:
        """The name of the one field that is given; None where there is none or more than one."""
        given = [
            name
            for name in type(self).model_fields
            if name not in ("id", "hidden") and getattr(self, name) not in (None, False)
        ]
        return given[0] if len(given) == 1 else None


class ControlResult(ResourceModel):
    """What became of a control."""

    id: str
    date: datetime
    done: bool
    """False where it was refused."""
    message: str | None = None
    """Why it was refused, or what it made."""
    secret_inputs: list[str] | None = None
    """The inputs of type SECRET that it gave as text. A Secret of the execution holds them."""


class ExecutionSpec(ResourceModel):
    """What is asked for. The flow, the inputs and the trigger are fixed once it is created; of the
    inputs, only the controller replaces the text of a secret by its Secret's name."""

    flow: FlowReference
    inputs: dict[str, Any] = {}
    """Values of the flow's inputs, by id."""
    labels: dict[str, str] = {}
    """Labels beside those of the flow."""
    trigger: TriggerReference | None = None
    """Set by whatever trigger made the execution."""
    schedule_date: datetime | None = None
    """Nothing of it runs before."""
    priority: Annotated[int, Field(ge=LEAST_PRIORITY, le=GREATEST_PRIORITY)] | None = None
    """Which of those comes first that wait for a slot in its Kubernetes namespace: the one with the
    greatest. Where it is not given, the label `penstock.dev/priority` says so, else it is 0."""
    breakpoints: list[str] = []
    """Ids of tasks before which it stops until it is resumed."""
    replay: ReplayReference | None = None
    """The execution that it does again."""
    retry: RetryReference | None = None
    """Set where it is the retry of another."""
    parent: ParentReference | None = None
    """Set where a task of another execution made it."""
    kill: bool = False
    """Set to true, it ends the execution with KILLED and stops what runs, subflows included."""
    controls: list[Control] = []
    """What people want of it: pause, resume, restart, replay, …"""


class Attempt(ResourceModel):
    """One try of a runnable task: one Job."""

    number: int
    """Which try it is, counted from 1."""
    state: State
    created_date: datetime
    """When the intent was written, before the Job was made."""
    start_date: datetime | None = None
    """When the container started."""
    end_date: datetime | None = None
    job: str | None = None
    """The name of the attempt's Job."""
    execution: str | None = None
    """The name of the execution that the attempt is, where it is one. Where it is several, how
    their names begin."""
    restarts: bool | None = None
    """Whether the attempt restarts an execution that there was, in place of making one."""
    exit_code: int | None = None
    reason: str | None = None
    """Why it failed, in one word: `Timeout`, `OOMKilled`, `PodDeleted`, …"""
    message: str | None = None


class Metric(ResourceModel):
    """A number that a task published."""

    type: Literal["counter", "timer", "gauge"]
    name: str
    value: float
    """What was measured: seconds of a timer; the sum of what was published several times."""
    tags: dict[str, str] = {}


class OutputsReference(ResourceModel):
    """Outputs, or values of a loop, that are too large for the status: in a ConfigMap of the
    execution."""

    config_map: str
    key: str
    bytes: int
    """Size of the JSON text."""
    sha256: str
    """Digest of the JSON text."""


class ArchiveReference(ResourceModel):
    """Task runs that have ended and do not stand in the status, in a ConfigMap of the execution.

    `penstock get EXECUTION` shows them.
    """

    config_map: str
    key: str
    bytes: int
    """Size of the JSON text."""
    sha256: str
    """Digest of the JSON text."""
    task_runs: int
    """How many there are."""
    states: dict[str, int] = {}
    """How many ended in which state."""


class TaskRun(ResourceModel):
    """What became of one task, for one value where it stands in a loop."""

    id: str
    """Made from the place in the flow and the loop values: the same in every replay."""
    task_id: str
    parent: str | None = None
    """The id of the task run around this one."""
    value: str | None = None
    """The loop's value, always as text."""
    iteration: int | None = None
    """The index of the loop's value, from 0."""
    state: State
    start_date: datetime
    end_date: datetime | None = None
    next_attempt: datetime | None = None
    """When a RETRYING task run is tried again, or a PAUSED one goes on by itself."""
    attempts: list[Attempt] = []
    outputs: dict[str, Any] | None = None
    outputs_ref: OutputsReference | None = None
    metrics: list[Metric] | None = None
    """What the task published, over all attempts; at most 100."""
    metrics_dropped: int | None = None
    """How many more it published, which are not kept."""
    values: list[str] | None = None
    """The values over which a loop runs, fixed when it opened."""
    values_ref: OutputsReference | None = None
    """Where the values are, if they are too many for the status."""
    keys: list[str] | None = None
    """The keys of the values, where a Loop runs over a map."""
    verdict: State | None = None
    """How it ends by its own rules, unless its children make it worse."""
    message: str | None = None
    """Why the task run ended as it did, where that needs saying."""


class Transition(ResourceModel):
    """A state and since when."""

    state: State
    date: datetime


class PinnedFlow(ResourceModel):
    """The flow and the revision that an execution keeps until its end."""

    namespace: str
    id: str
    name: str | None = None
    revision: int = 1


_LEFT_OUT_WHERE_EMPTY = (
    "archive", "paused", "atBreakpoints", "passedBreakpoints", "restarts", "controls",
)  # fmt: skip
"""What most executions have nothing of."""


class LogsReference(ResourceModel):
    """Where the archived logs of an execution are read: see `penstock logs`."""

    path: str
    """A path of the API server, which passes it on to the storage service."""
    token: str
    """Is to be shown there. It opens the logs of this execution and nothing else, so that whoever
    may read the Execution may read its logs. It ends, and is renewed in time; with the Execution
    it is worth nothing any more, also where another one has the name."""


class ExecutionStatus(ResourceModel):
    """Everything that is known of a run."""

    observed_generation: int = -1
    state: State = State.CREATED
    history: list[Transition] = []
    """Every state and when it was reached."""
    flow: PinnedFlow | None = None
    labels: dict[str, str] = {}
    called_by: CallerReference | None = None
    """The execution whose task made this one, and whose files this one may therefore use. Written
    once, when it begins: of what the spec says of a parent, only what the controller made counts.
    """
    inputs: dict[str, Any] = {}
    """The inputs, typed, with defaults."""
    given_inputs: dict[str, Any] | None = None
    """Where an input of type SECRET was given as text: the inputs of the spec with a Secret that
    holds it in its place. To this, and to nothing else, `spec.inputs` may be changed."""
    task_runs: list[TaskRun] = []
    """Task runs in the order in which they started; of a large execution those not in `archive`."""
    archive: list[ArchiveReference] = []
    """Where the other task runs are."""
    variables: dict[str, Any] | None = None
    """The flow's variables as tasks changed them; absent where none did."""
    exit: State | None = None
    """The state in which the execution is to end, whatever else there is to do."""
    exit_reason: str | None = None
    """Why, where that needs saying."""
    paused: bool = False
    """Whether a person wants nothing new to start."""
    violated_sla: str | None = None
    """The id of the `sla` that was violated."""
    after_execution: State | None = None
    """RUNNING while tasks of `afterExecution` run; then how they ended."""
    at_breakpoints: list[str] = []
    """Ids of the task runs that wait at a breakpoint."""
    passed_breakpoints: list[str] = []
    """Ids of the task runs that were let through a breakpoint."""
    restarts: int = 0
    """How often it was restarted, or a task run marked."""
    controls: list[ControlResult] = []
    """What became of the controls in the spec."""
    outputs: dict[str, Any] | None = None
    """The flow's outputs."""
    start_date: datetime | None = None
    end_date: datetime | None = None
    duration: str | None = None
    """The time from start to end, as `12.3s`."""
    progress: str | None = None
    """Finished and known task runs, as `3/7`."""
    trigger: str | None = None
    """The id of the trigger that started it, or `manual`."""
    message: str | None = None
    """Why the execution ended as it did, where that needs saying; what it waits for while it is
    queued."""
    refusal: str | None = None
    """Why it was ended before anything of it ran, in one word."""
    logs: LogsReference | None = None
    """Where its archived logs are."""
    conditions: list[Condition] = []

    @property
    def finished(self) -> bool:
        """Whether nothing of the execution runs any more, `afterExecution` included."""
        return self.state.terminated and self.after_execution is not State.RUNNING

    def to_json(self) -> dict[str, Any]:
        """Write the status as it stands in the resource: JSON values, without what is not set."""
        written = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name in _LEFT_OUT_WHERE_EMPTY:
            if not written[name]:
                del written[name]
        return written

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ExecutionStatus:
        return cls.model_validate(value)
