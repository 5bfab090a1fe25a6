"""`onMiss`: a window ended and the trigger did not fire in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from penstock.triggers.evaluation import FlowName
from penstock.triggers.flow_trigger.memory import Memory
from penstock.triggers.flow_trigger.model import FlowTrigger


@dataclass(frozen=True)
class Miss:
    """An execution to make that is FAILED from the start."""

    key: str
    """16 hexadecimal digits, the same for the same window."""
    deadline: datetime
    message: str


def missed(
    trigger: FlowTrigger, trigger_id: str, listening: FlowName, memory: Memory, now: datetime
) -> tuple[Memory, Miss | None]:
    """Whether the last window that ended was missed, and what to remember.

    Only the last one counts where several ended meanwhile, and none that began before the trigger
    was armed. Put the events of a window to the trigger before asking.
    """
    if not trigger.depends_on or trigger.on_miss is None or trigger.window is None:
        return memory, None
    span = trigger.window.last_ended(now)
    if span is None or span.start is None or span.end is None or span.start < memory.checked:
        return memory, None
    looked = memory.model_copy(update={"checked": span.end})
    if any(date in span for date in memory.fired):
        return looked, None
    parts = (listening.namespace, listening.id, trigger_id, span.end.isoformat())
    key = hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]
    message = f"what trigger {trigger_id} waits for was not met by {span.end.isoformat()}"
    return looked, Miss(key, span.end, message)


def next_deadline(trigger: FlowTrigger, now: datetime) -> datetime | None:
    """When to ask for misses next; None for a trigger that has none."""
    if not trigger.depends_on or trigger.on_miss is None or trigger.window is None:
        return None
    return trigger.window.next_end(now)
