"""What every trigger has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, field_validator
from pydantic_core import PydanticCustomError

from penstock.flow.document import Labels
from penstock.flow.model import Document
from penstock.flow.problems import Location
from penstock.triggers.conditions import AnyCondition
from penstock.triggers.conditions.model import Condition
from penstock.triggers.evaluation import Context
from penstock.triggers.states import StateName

LogLevel = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]


def _no_system_labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if key.startswith("system."):
            raise PydanticCustomError(
                "system_label",
                "System labels can only be set by Kestra itself, offending label: {key}={value}",
                {"key": key, "value": value},
            )
    return labels


UserLabels = Annotated[Labels, AfterValidator(_no_system_labels)]


def _when(value: Any) -> Any:
    if isinstance(value, str | bool):
        return value
    raise PydanticCustomError("when", "must be text with an expression, or true or false")


When = Annotated[str | bool, BeforeValidator(_when)]


class TriggerProperties(Document):
    """The properties that all triggers share, beside `id`, `type`, `description`, `disabled`."""

    conditions: list[AnyCondition] = []
    """All of them must hold (the language of Kestra 1.x)."""
    when: When | None = None
    """An expression that must be true (the language of Kestra 2.0)."""
    labels: UserLabels = {}
    """Labels of the executions; the values may be expressions."""
    stop_after: list[StateName] = []
    """The trigger stops once an execution of it ended in one of these states."""
    allow_concurrent: bool = False
    """Whether an execution may start while the one before it still runs."""
    log_level: LogLevel | None = None
    """No effect."""
    min_log_level: LogLevel | None = None
    """The older name of `logLevel`."""
    log_to_file: bool = False
    """Kept for compatibility: logs are always the pod's."""
    worker_group: Any = None
    """Refused: there are no workers."""

    @field_validator("worker_group", mode="before")
    @classmethod
    def _no_worker_groups(cls, value: Any) -> Any:
        raise ValueError("Worker Group is an Enterprise Edition functionality")

    def stops_after(self, state: str) -> bool:
        """Whether the trigger stops when an execution of it ended in this state."""
        return state in self.stop_after

    def located_conditions(self) -> Iterator[tuple[Location, Condition]]:
        """Every condition with its place, those inside others too."""
        for index, condition in enumerate(self.conditions):
            yield from condition.walk(("conditions", index))

    @property
    def not_served(self) -> str | None:
        """Why the trigger can't be served: to fire against its conditions would be worse."""
        for _, condition in self.located_conditions():
            if condition.not_served is not None:
                return condition.not_served
        return None

    @property
    def unconditional(self) -> bool:
        """Whether it fires for whatever happens, which is hardly what its author wants."""
        return False

    def without_effect(self) -> Iterator[tuple[Location, str]]:
        """Properties that say nothing where they stand, each with the reason."""
        return iter(())

    def deprecated(self) -> Iterator[tuple[Location, str]]:
        """What is written in an old way, each with what to write in its place."""
        if self.min_log_level is not None:
            yield ("minLogLevel",), "use `logLevel`"
        for at, condition in self.located_conditions():
            for place, reason in condition.deprecated():
                yield (*at, *place), reason


def admits(properties: TriggerProperties, context: Context) -> bool:
    """Whether all `conditions` hold and `when` is true. Raises ``ConditionError``."""
    return unmet(properties, context) is None


def unmet(properties: TriggerProperties, context: Context) -> str | None:
    """Say which of `conditions` does not hold, or that `when` is not true; None where they do.
    Raises ``ConditionError``."""
    for index, condition in enumerate(properties.conditions):
        if not condition.holds(context):
            return f"`conditions[{index}]`, {condition.name}, is not met"
    return None if context.when(properties.when) else f"`when` is not true: {properties.when}"
