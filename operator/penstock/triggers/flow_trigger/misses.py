"""`onMiss`: where a window ended and the trigger did not fire in it, an execution is FAILED."""

from __future__ import annotations

import hashlib
from datetime import datetime

from penstock.triggers.evaluation import Context
from penstock.triggers.firing import Firing, failed_firing, rendered_firing
from penstock.triggers.flow_trigger.memory import Memory
from penstock.triggers.flow_trigger.model import FlowTrigger


def missed(
    trigger: FlowTrigger, trigger_id: str, memory: Memory, now: datetime, context: Context
) -> tuple[Memory, Firing | None]:
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
    listening = context.flow
    parts = (listening.namespace, listening.id, trigger_id, span.end.isoformat())
    key = hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]
    message = f"what trigger {trigger_id} waits for was not met by {span.end.isoformat()}"
    variables = {"deadline": span.end.isoformat()}
    seen = context.seeing(trigger=variables)
    firing = rendered_firing(key, variables, {}, trigger.on_miss.labels, seen, span.end)
    return looked, failed_firing(firing, message)


def next_deadline(trigger: FlowTrigger, now: datetime) -> datetime | None:
    """When the next window ends that may be missed; None for a trigger that has none."""
    if not trigger.depends_on or trigger.on_miss is None or trigger.window is None:
        return None
    return trigger.window.next_end(now)
