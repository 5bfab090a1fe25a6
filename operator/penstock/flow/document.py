"""The flow as a whole (kestra-types, section 0; kestra-engine, sections 12 to 14)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from penstock.flow.inputs import Input, InputType
from penstock.flow.model import Document, DurationProperty
from penstock.flow.problems import Location
from penstock.flow.retries import Retry
from penstock.flow.task import TASK_ID_PATTERN, AnyTask, Task, Tasks

FLOW_ID_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$"
NAMESPACE_PATTERN = r"^[a-z0-9][a-z0-9._-]*$"

RESERVED_FLOW_IDS = frozenset(
    {
        "pause", "resume", "force-run", "change-status", "kill", "executions", "search", "source",
        "disable", "enable",
    }
)  # fmt: skip
"""Kestra's API has paths of these names (kestra-newer, section 7)."""


def labels_as_map(value: Any) -> Any:
    """Labels are written as a map or as a list of ``{key, value}``; the first of a key wins.

    One without a value counts as not given.
    """
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if item is not None}
    if not isinstance(value, list):
        return value
    labels: dict[str, Any] = {}
    for item in value:
        if not isinstance(item, dict) or set(item) != {"key", "value"}:
            raise PydanticCustomError("labels", "a label is written as `key: …` and `value: …`")
        if isinstance(item["key"], dict | list):
            raise PydanticCustomError("labels", "the `key` of a label is text")
        labels.setdefault(str(item["key"]), item["value"])
    return labels


def _label_text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


LabelValue = Annotated[str, BeforeValidator(_label_text)]
Labels = Annotated[dict[str, LabelValue], BeforeValidator(labels_as_map)]


class FlowOutput(Document):
    """A value that the flow hands to whoever ran it."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][.a-zA-Z0-9_-]*$")]
    """The output's name."""
    type: InputType | None = None
    """The type to which the rendered value is brought."""
    value: Any = None
    """The value, as an expression."""
    description: str | None = None
    display_name: str | None = None
    required: bool = True


class PluginDefault(Document):
    """Values for every task or trigger whose type is, or begins with, the given one."""

    type: str
    """A type or the beginning of one, such as `io.kestra.plugin.core.log`."""
    forced: bool = False
    """Forced values replace what the task says."""
    values: dict[str, Any]
    """The properties to set."""


class Concurrency(Document):
    """How many executions of the flow may run at once."""

    limit: Annotated[int, Field(gt=0)]
    behavior: Literal["QUEUE", "CANCEL", "FAIL"] = "QUEUE"


class Trigger(Document):
    """Something that starts the flow. Types are open; the served ones are checked on their own."""

    open_properties: ClassVar[bool] = True

    id: Annotated[str, Field(pattern=TASK_ID_PATTERN)]
    """The trigger's name, unique in its flow."""
    type: str
    """For example `io.kestra.plugin.core.trigger.Schedule`."""
    description: str | None = None
    disabled: bool = False
    """A disabled trigger does not start anything."""
    properties: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _collect(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "properties" in value:
            return value
        shared = {"id", "type", "description", "disabled"}
        own = {key: item for key, item in value.items() if key not in shared}
        return {key: item for key, item in value.items() if key in shared} | {"properties": own}


class Flow(Document):
    """A flow, as Kestra writes it."""

    id: Annotated[str, Field(pattern=FLOW_ID_PATTERN, max_length=100)]
    """The flow's name in its namespace."""
    namespace: Annotated[str, Field(pattern=NAMESPACE_PATTERN, max_length=150)]
    """A dotted name that groups flows, such as `company.team`."""
    description: str | None = None
    """What the flow is for."""
    labels: Labels = {}
    """Labels that every execution of the flow carries."""
    inputs: list[Input] = []
    """What an execution is given."""
    variables: dict[str, Any] = {}
    """Values for `vars.…`; what they hold is rendered only by `render()`."""
    tasks: Tasks
    """What the flow does, in order."""
    errors: list[AnyTask] = []
    """Runs when a task failed."""
    finally_: Annotated[list[AnyTask], Field(alias="finally")] = []
    """Runs at the end, whatever happened."""
    after_execution: list[AnyTask] = []
    """Runs once the execution has ended (not served yet)."""
    outputs: list[FlowOutput] = []
    """What an execution hands back."""
    triggers: list[Trigger] = []
    """What starts the flow by itself."""
    plugin_defaults: list[PluginDefault] = []
    """Properties for tasks, by type."""
    task_defaults: list[PluginDefault] = []
    """The older name of `pluginDefaults`."""
    retry: Retry | None = None
    """The retry of every task that has none of its own."""
    timeout: DurationProperty | None = None
    concurrency: Concurrency | None = None
    """How many executions may run at once (not served yet)."""
    sla: list[Any] = []
    """What an execution must keep to (not served yet)."""
    checks: list[Any] = []
    """What must hold before an execution starts (not served yet)."""
    listeners: list[Any] = []
    """Replaced by triggers of type Flow long ago (not served)."""
    disabled: bool = False
    """A disabled flow can't be executed."""
    revision: int | None = None
    """Ignored: revisions are counted by Penstock."""
    tutorial: Any = None
    """Ignored."""

    @field_validator("id")
    @classmethod
    def _no_reserved_id(cls, value: str) -> str:
        if value in RESERVED_FLOW_IDS:
            raise PydanticCustomError(
                "reserved_id", "the flow id `{id}` is reserved; choose another", {"id": value}
            )
        return value

    def child_lists(self) -> list[tuple[Location, list[Task]]]:
        """The lists of tasks at the top of the flow, by the property that holds them."""
        return [
            (("tasks",), self.tasks),
            (("errors",), self.errors),
            (("finally",), self.finally_),
            (("afterExecution",), self.after_execution),
        ]
