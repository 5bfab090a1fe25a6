"""What the triggers of all object stores have."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from penstock.flow.model import DurationProperty, Rendered
from penstock.triggers.brokers.properties import Count, in_capitals
from penstock.triggers.properties import TriggerProperties

Action = Annotated[Literal["NONE", "DELETE", "MOVE"], BeforeValidator(in_capitals), Rendered]
"""What becomes of an object once its execution is stored."""
Change = Annotated[
    Literal["CREATE", "UPDATE", "CREATE_OR_UPDATE"], BeforeValidator(in_capitals), Rendered
]
"""Which objects start an execution: new ones, changed ones, or both."""
Filter = Annotated[Literal["BOTH", "FILES", "DIRECTORY"], BeforeValidator(in_capitals), Rendered]
"""Whether objects count whose keys end with a slash, alone or beside the others."""


class ObjectsTrigger(TriggerProperties):
    """The properties of every trigger that looks for objects."""

    interval: DurationProperty = timedelta(seconds=60)
    """How often to look."""
    on: Change = "CREATE_OR_UPDATE"
    """`CREATE` takes new objects, `UPDATE` those that changed, `CREATE_OR_UPDATE` both."""
    max_files: Count = 25
    """How many objects one execution is started for, at most; what is more starts the next."""
    state_key: str | None = None
    """No effect: what was seen is remembered in the TriggerState."""
    state_ttl: DurationProperty | None = None
    """How long an object is remembered that is not there any more, or was not changed."""
    inputs: dict[str, Any] = {}
    """The inputs of the executions; expressions see the objects as `trigger.…`."""
