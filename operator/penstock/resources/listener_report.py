"""What a listener says of a trigger: it stands on the TriggerState as an annotation.

The gateway writes it there for the listener, which has no credentials of the cluster. The
controller, which alone writes statuses, takes it into the status.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field, ValidationError

from penstock.resources.execution import ResourceModel
from penstock.resources.trigger_state import MEMORY_BYTES

ANNOTATION = "penstock.dev/listener-report"
MOST_MESSAGE = 2_000
MOST_BYTES = MEMORY_BYTES + 4 * MOST_MESSAGE
"""Bytes of a report as JSON."""


class ListenerReport(ResourceModel):
    """How a trigger is, as its listener found it."""

    failing: bool = False
    """Whether its source can't be asked, or does not deliver."""
    message: Annotated[str, Field(max_length=MOST_MESSAGE)] = ""
    """Why, in words for the flow's author; what else they should know where it is not."""
    put_aside: Annotated[int, Field(ge=0)] = 0
    """Events that no Execution could be made of, since the listener started."""
    memory: Any = None
    """Where a poll trigger goes on."""

    def to_text(self) -> str:
        """Give it as it stands in the annotation."""
        return json.dumps(self.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def report_of(annotations: dict[str, Any] | None) -> ListenerReport | None:
    """Read the report among an object's annotations; None where there is none, or it can't be
    read."""
    text = (annotations or {}).get(ANNOTATION)
    if not isinstance(text, str) or len(text) > MOST_BYTES:
        return None
    try:
        return ListenerReport.model_validate(json.loads(text))
    except (ValueError, ValidationError, RecursionError):
        return None
