"""The Execution: one run of a flow, from what was asked to all that came of it.

These models are the shape of the resource, of what the engine decides upon, and of what
``penstock run -o json`` prints. A status is written whole, so every field is either wanted by a
user or needed to continue after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from penstock.resources.conditions import Condition


class State(StrEnum):
    """States of executions, task runs and attempts (kestra-engine, section 1)."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    PAUSED = "PAUSED"
    KILLING = "KILLING"
    KILLED = "KILLED"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILED = "FAILED"
    RESUBMITTED = "RESUBMITTED"
    """Of an attempt: it was lost with its node and is followed by another."""

    @property
    def terminated(self) -> bool:
        return self in _TERMINATED


_TERMINATED = frozenset(
    {
        State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.CANCELLED, State.SKIPPED,
        State.RESUBMITTED,
    }
)  # fmt: skip


class ResourceModel(BaseModel):
    """Camel-case names; unknown fields are ignored: an older controller reads a newer object."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
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


class TriggerReference(ResourceModel):
    """What started an execution."""

    id: str
    type: str
    variables: dict[str, Any] = {}
    """What expressions see as `trigger.…`."""


class ExecutionSpec(ResourceModel):
    """What is asked for. The flow, the inputs and the trigger are fixed once it is created."""

    flow: FlowReference
    inputs: dict[str, Any] = {}
    """Values of the flow's inputs, by id."""
    labels: dict[str, str] = {}
    """Labels beside those of the flow."""
    trigger: TriggerReference | None = None
    """Set by whatever trigger made the execution."""
    kill: bool = False
    """Set to true, it ends the execution with KILLED and stops what runs."""


class Attempt(ResourceModel):
    """One try of a runnable task: one Job."""

    number: int
    """From 1."""
    state: State
    created_date: datetime
    """When the intent was written, before the Job was made."""
    start_date: datetime | None = None
    """When the container started."""
    end_date: datetime | None = None
    job: str | None = None
    """The name of the attempt's Job."""
    exit_code: int | None = None
    reason: str | None = None
    """Why it failed, in one word: `Timeout`, `OOMKilled`, `PodDeleted`, …"""
    message: str | None = None


class OutputsReference(ResourceModel):
    """Outputs that are too large for the status, in a ConfigMap of the execution."""

    config_map: str
    key: str
    bytes: int
    """Size of the JSON text."""
    sha256: str
    """Digest of the JSON text."""


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
    """When a RETRYING task run is tried again."""
    attempts: list[Attempt] = []
    outputs: dict[str, Any] | None = None
    outputs_ref: OutputsReference | None = None
    values: list[str] | None = None
    """The values over which a loop runs, fixed when it opened."""
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


class ExecutionStatus(ResourceModel):
    """Everything that is known of a run."""

    observed_generation: int = -1
    state: State = State.CREATED
    history: list[Transition] = []
    """Every state and when it was reached."""
    flow: PinnedFlow | None = None
    labels: dict[str, str] = {}
    inputs: dict[str, Any] = {}
    """The inputs, typed, with defaults."""
    task_runs: list[TaskRun] = []
    """In the order in which they started."""
    variables: dict[str, Any] | None = None
    """The flow's variables as tasks changed them; absent where none did."""
    exit: State | None = None
    """The state in which a task said that the execution ends."""
    outputs: dict[str, Any] | None = None
    """The flow's outputs."""
    start_date: datetime | None = None
    end_date: datetime | None = None
    duration: str | None = None
    """From start to end, as `12.3s`."""
    progress: str | None = None
    """Finished and known task runs, as `3/7`."""
    trigger: str | None = None
    """The id of the trigger that started it, or `manual`."""
    message: str | None = None
    """Why the execution ended as it did, where that needs saying."""
    conditions: list[Condition] = []

    def to_json(self) -> dict[str, Any]:
        """As it stands in the resource: JSON values, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ExecutionStatus:
        return cls.model_validate(value)
