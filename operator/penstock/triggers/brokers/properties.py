"""What the triggers of all brokers have."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from penstock.flow.model import DurationProperty, Expression, Rendered
from penstock.triggers.properties import TriggerProperties


def in_capitals(value: Any) -> Any:
    """A name in capitals, as Kestra reads the names of its enums."""
    return value.upper() if isinstance(value, str) else value


SerdeType = Annotated[Literal["STRING", "JSON"], BeforeValidator(in_capitals), Rendered]
"""How a message's bytes are read: as text, or as JSON."""

Count = Annotated[Annotated[int, Field(ge=1)], Rendered]
"""How many; may be an expression."""


class BrokerTrigger(TriggerProperties):
    """The properties of every trigger that takes messages from a broker."""

    inputs: dict[str, Any] = {}
    """Inputs of the executions; expressions see the message as `trigger.…`."""


class BatchTrigger(BrokerTrigger):
    """The properties of a trigger that takes many messages at once, and starts one execution."""

    interval: DurationProperty = timedelta(seconds=60)
    """How often to look for messages."""
    max_records: Count | None = None
    """The most messages of one execution."""
    max_duration: DurationProperty | None = None
    """How long messages are gathered for one execution, one minute where it is not given."""

    @property
    def idle(self) -> timedelta:
        """After how long without a message a batch ends."""
        return timedelta(seconds=2)


def wait_of(value: DurationProperty | None, default: timedelta) -> timedelta:
    """A duration once it is rendered, or a default where there is none."""
    return default if value is None or isinstance(value, Expression) else value
