"""What all triggers have that look for new objects or files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from penstock.flow.model import DurationProperty, Rendered
from penstock.flow.problems import Location
from penstock.triggers.brokers.properties import Count, in_capitals
from penstock.triggers.properties import TriggerProperties

Action = Annotated[Literal["MOVE", "DELETE", "NONE"], BeforeValidator(in_capitals), Rendered]
"""What is done with an object once its Execution is stored."""
Change = Annotated[
    Literal["CREATE", "UPDATE", "CREATE_OR_UPDATE"], BeforeValidator(in_capitals), Rendered
]
"""Which objects fire: those that were not there before, those that changed, or both."""
Text = Annotated[str, Field(min_length=1)]


class ObjectTrigger(TriggerProperties):
    """The properties of every trigger that looks for objects, and starts one execution for those
    that are new."""

    interval: DurationProperty = timedelta(seconds=60)
    """How often to look."""
    on: Change = "CREATE_OR_UPDATE"
    """What fires: `CREATE`, `UPDATE` or `CREATE_OR_UPDATE`."""
    state_key: str | None = None
    """No effect: each trigger remembers for itself what it has seen."""
    state_ttl: DurationProperty | None = None
    """No effect: what is not there any more is forgotten at once."""
    inputs: dict[str, Any] = {}
    """Inputs of the executions; expressions see the objects as `trigger.…`."""

    @property
    def most(self) -> int:
        """How many objects one execution gets at most."""
        raise NotImplementedError

    @property
    def pattern(self) -> str | None:
        """What an object has to match."""
        raise NotImplementedError

    def without_effect(self) -> Iterator[tuple[Location, str]]:
        yield from super().without_effect()
        if self.state_key is not None:
            yield ("stateKey",), "has no effect: each trigger remembers for itself what it has seen"
        if self.state_ttl is not None:
            yield ("stateTtl",), "has no effect: what is not there any more is forgotten at once"


def number(value: Count | str, default: int) -> int:
    """A count once it is rendered."""
    return value if isinstance(value, int) else default
