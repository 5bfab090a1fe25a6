"""The model of a task: the properties that all tasks share, and how a list of tasks is read.

What a task *type* means is not known here. :mod:`penstock.flow.types` holds the types that the
engine (flowable tasks) and the runnable tasks bring with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field, PlainValidator, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from penstock.flow.model import Document, Duration, DurationProperty, Rendered
from penstock.flow.problems import Location
from penstock.flow.retries import Retry

TASK_ID_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$"

TaskId = Annotated[str, Field(pattern=TASK_ID_PATTERN, max_length=256)]


class TaskCache(Document):
    """The cache of a task's outputs: they are used again where it would run with equal
    properties."""

    enabled: bool = False
    """Whether the task's outputs are cached."""
    ttl: Duration | None = None
    """How long the outputs are kept; for good where it is not given."""


class Task(Document):
    """The properties of every task."""

    uses_timeout: ClassVar[bool] = False
    """Whether `timeout` means something to tasks of this kind."""

    id: TaskId
    """The task's name, unique in its flow."""
    type: str
    """The task's type, for example `io.kestra.plugin.core.log.Log`."""
    description: str | None = None
    """What the task is for."""
    retry: Retry | None = None
    """When and how often a failed task is tried again."""
    timeout: DurationProperty | None = None
    """How long one attempt may take."""
    disabled: bool = False
    """A disabled task is left out of the run."""
    run_if: str | bool | int | float | None = None
    """The task is skipped where this renders to `false`, `0`, `-0` or nothing. Rendered."""
    when: str | bool | int | float | None = None
    """The name that Kestra 2.0 gives `runIf`. Rendered."""
    allow_failure: Annotated[bool, Rendered] = False
    """A failure ends the task with WARNING."""
    allow_warning: Annotated[bool, Rendered] = False
    """A warning ends the task with SUCCESS."""
    log_level: Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] | None = None
    """Log lines below this level are dropped."""
    log_to_file: bool = False
    """No effect: logs are always the pod's."""
    task_cache: TaskCache | None = None
    """Whether outputs of an earlier run with equal properties spare the run. It has no effect on
    tasks that hold others."""
    assets: Any = None
    """Read and not served: Kestra's lineage of data."""
    worker_selector: Any = None
    """Read and not served: pods are placed with nodeSelector and tolerations."""
    worker_group: Any = None
    """Refused: pods are placed with nodeSelector and tolerations."""

    @field_validator("worker_group", mode="before")
    @classmethod
    def _no_worker_groups(cls, value: Any) -> Any:
        if value is not None:
            raise ValueError(
                "Worker Group is an Enterprise Edition functionality; "
                "the `taskRunner` places the pod, by `nodeSelector` and `tolerations`"
            )
        return value

    @property
    def gate(self) -> str | bool | int | float | None:
        """The text that decides whether the task runs; None where it always does."""
        return self.run_if if self.run_if is not None else self.when

    def child_lists(self) -> Iterator[tuple[Location, list[Task]]]:
        """The lists of tasks inside this one, by the place of the property that holds them."""
        return iter(())

    def children(self) -> Iterator[tuple[Location, Task]]:
        """The tasks inside this one, each with its place."""
        for at, tasks in self.child_lists():
            for index, task in enumerate(tasks):
                yield (*at, index), task


class RunnableTask(Task):
    """A task that runs in a pod. Its own properties are rendered when it starts."""

    open_properties: ClassVar[bool] = True
    uses_timeout = True

    properties: dict[str, Any] = {}
    """The properties of the task's own type, as they were written."""
    typed: SkipJsonSchema[frozenset[str]] = frozenset()
    """The properties in which a single expression keeps its type."""
    unrendered: SkipJsonSchema[frozenset[str]] = frozenset()
    """The properties that the task itself renders."""

    @classmethod
    def shared_names(cls) -> frozenset[str]:
        """The names of properties that every task has, so that no type has one of its own."""
        return _SHARED


_SHARED = frozenset(Task.property_names())


@runtime_checkable
class TaskReader(Protocol):
    """Reads a task with the type that it names."""

    def read(self, value: Any, context: Any) -> Task: ...


def read_task(value: Any, info: ValidationInfo) -> Task:
    """Read one task with the types that the validation's context holds."""
    types = (info.context or {}).get("types")
    assert isinstance(types, TaskReader), "tasks can only be read with a context of task types"
    return types.read(value, info.context)


AnyTask = Annotated[Task, PlainValidator(read_task)]
Tasks = Annotated[list[AnyTask], Field(min_length=1)]
"""A list of tasks that must not be empty."""
