"""The models of a flow and of its top-level properties, but for tasks and inputs."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from penstock.flow.inputs import Input, InputType
from penstock.flow.model import Document, DurationProperty
from penstock.flow.problems import Location
from penstock.flow.retries import Retry
from penstock.flow.task import TASK_ID_PATTERN, AnyTask, Task, TaskId, Tasks

FLOW_ID_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$"
NAMESPACE_PATTERN = r"^[a-z0-9][a-z0-9._-]*$"

RESERVED_FLOW_IDS = frozenset(
    {
        "pause", "resume", "force-run", "change-status", "kill", "executions", "search", "source",
        "disable", "enable",
    }
)  # fmt: skip
"""The flow ids that are refused, since Kestra's API has paths of these names."""


def labels_as_map(value: Any) -> Any:
    """Labels as a map, however they are written: as a map, or as a list of ``{key, value}``.

    The first label of a key wins. One without a value counts as not given.
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
    """A value that the flow hands to whoever ran it.

    ```yaml
    id: rows
    type: INT
    value: "{{ outputs.count.vars.rows }}"
    ```
    """

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][.a-zA-Z0-9_-]*$")]
    """The output's name."""
    type: InputType | None = None
    """The type to which the rendered value is brought."""
    value: Any = None
    """The value, as an expression. Rendered."""
    description: str | None = None
    """What the output is."""
    display_name: str | None = None
    """A name for people; no effect."""
    required: bool = True
    """Whether the execution fails where the value is null or can't be rendered; else it is null."""


class PluginDefault(Document):
    """Values for every task or trigger whose type is, or begins with, the given one.

    ```yaml
    type: io.kestra.plugin.scripts
    forced: true
    values:
      containerImage: busybox:1.36
    ```
    """

    type: str
    """A type or the beginning of one, such as `io.kestra.plugin.core.log`."""
    forced: bool = False
    """Forced values replace what the task says."""
    values: dict[str, Any]
    """The properties to set."""


class Concurrency(Document):
    """The limit of executions of the flow that run at once.

    ```yaml
    limit: 1
    behavior: QUEUE
    ```
    """

    limit: Annotated[int, Field(gt=0)]
    """How many run at once."""
    behavior: Literal["QUEUE", "CANCEL", "FAIL"] = "QUEUE"
    """What becomes of an execution beyond the limit: it waits, is cancelled, or fails."""


TIMEOUT = "timeout"
"""The id of the flow's timeout among its SLAs."""


class Sla(Document):
    """A rule that an execution must keep."""

    id: Annotated[str, Field(pattern=TASK_ID_PATTERN)]
    """The name of the rule."""
    type: Literal["MAX_DURATION", "EXECUTION_ASSERTION"]
    """What the rule looks at: the time since the start, or an expression."""
    behavior: Literal["FAIL", "CANCEL", "NONE"]
    """How an execution ends that violates the rule; NONE only sets the labels."""
    labels: Labels = {}
    """Labels for an execution that violates the rule."""
    duration: DurationProperty | None = None
    """The longest time from start to end, for MAX_DURATION."""
    assert_: Annotated[str | bool | None, Field(alias="assert")] = None
    """What must hold at every moment, for EXECUTION_ASSERTION."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.type == "MAX_DURATION" and self.duration is None:
            raise ValueError("an SLA of type MAX_DURATION needs a `duration`")
        if self.type == "EXECUTION_ASSERTION" and self.assert_ is None:
            raise ValueError("an SLA of type EXECUTION_ASSERTION needs an `assert`")
        return self


class Check(Document):
    """What must hold before an execution starts."""

    condition: str | bool | None = None
    """What must hold. Where it does not, `behavior` says what follows."""
    when: str | bool | None = None
    """The name that Kestra 2.0 gives `condition`."""
    message: str
    """What people are told where the condition does not hold."""
    style: Literal["ERROR", "SUCCESS", "WARNING", "INFO"] = "INFO"
    """How the message is shown."""
    behavior: Literal["BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION"] = "BLOCK_EXECUTION"
    """Whether the execution is refused, fails, or runs all the same."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.condition is None and self.when is None:
            raise ValueError("a check needs a `condition`")
        return self

    @property
    def rule(self) -> str | bool:
        rule = self.condition if self.condition is not None else self.when
        assert rule is not None
        return rule


class Listener(Document):
    """Tasks that Kestra once ran beside an execution that has ended."""

    description: str | None = None
    """What the listener is for."""
    conditions: list[dict[str, Any]] = []
    """When the listener applies."""
    tasks: Tasks
    """What the listener does."""


class Trigger(Document):
    """Something that starts the flow. Types are open; the served ones are checked on their own.

    ```yaml
    id: daily
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 6 * * *"
    ```
    """

    open_properties: ClassVar[bool] = True

    id: TaskId
    """The trigger's name, unique in its flow."""
    type: str
    """The trigger's type, for example `io.kestra.plugin.core.trigger.Schedule`."""
    description: str | None = None
    """What the trigger is for."""
    disabled: bool = False
    """A disabled trigger does not start anything."""
    properties: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _collect(cls, value: Any, info: ValidationInfo) -> Any:
        made_by_code = info.context is None and isinstance(value, dict) and "properties" in value
        if not isinstance(value, dict) or made_by_code:
            return value
        shared = {"id", "type", "description", "disabled"}
        own = {key: item for key, item in value.items() if key not in shared}
        return {key: item for key, item in value.items() if key in shared} | {"properties": own}


class Flow(Document):
    """A flow, as Kestra writes it.

    ```yaml
    id: hello-world
    namespace: company.team
    inputs:
      - {id: name, type: STRING, defaults: World}
    tasks:
      - id: greet
        type: io.kestra.plugin.core.debug.Return
        format: "Hello, {{ inputs.name }}!"
    errors:
      - {id: tell, type: io.kestra.plugin.core.log.Log, message: "{{ execution.id }} failed"}
    outputs:
      - {id: greeting, type: STRING, value: "{{ outputs.greet.value }}"}
    triggers:
      - {id: daily, type: io.kestra.plugin.core.trigger.Schedule, cron: "@daily"}
    ```
    """

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
    """Runs once the execution has ended; it sees the end state and can't change it."""
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
    """How long an execution may take: one that takes longer ends FAILED."""
    concurrency: Concurrency | None = None
    """How many executions may run at once."""
    sla: list[Sla] = []
    """What an execution must keep to."""
    checks: list[Check] = []
    """What must hold before an execution starts."""
    listeners: list[Listener] = []
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

    @property
    def promises(self) -> list[Sla]:
        """The rules that an execution must keep: the flow's timeout as an SLA, then its SLAs."""
        if self.timeout is None:
            return self.sla
        timeout = Sla.model_construct(
            id=TIMEOUT, type="MAX_DURATION", behavior="FAIL", labels={}, duration=self.timeout
        )
        return [timeout, *self.sla]

    def child_lists(self) -> list[tuple[Location, list[Task]]]:
        """The lists of tasks at the top of the flow, by the property that holds them."""
        return [
            (("tasks",), self.tasks),
            (("errors",), self.errors),
            (("finally",), self.finally_),
            (("afterExecution",), self.after_execution),
        ]
