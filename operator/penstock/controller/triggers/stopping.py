"""Which execution stops the trigger that started it, by its `stopAfter`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from penstock.controller.runtime.indexes import has_ended, state_of
from penstock.kubernetes.api.client import Object
from penstock.resources.stored import written_date
from penstock.triggers.properties import TriggerProperties


def stopped_by(
    properties: TriggerProperties, executions: Iterable[Object], since: datetime | None
) -> str | None:
    """Say which execution stops a trigger; None where none does. Those count that ended after the
    trigger was enabled: who enables it again does so knowing of the others."""
    if not properties.stop_after or since is None:
        return None
    for execution in executions:
        state = state_of(execution)
        ended = written_date((execution.get("status") or {}).get("endDate"))
        if state is None or ended is None or not has_ended(execution):
            continue
        if properties.stops_after(state) and ended > since:
            return f"`stopAfter`: the Execution {execution['metadata']['name']} ended {state}"
    return None
