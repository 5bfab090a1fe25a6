"""Tells of triggers that fire at no dates what they wait for, and what a request would start.

Nothing is started, and nothing is asked but what the Flow and its TriggerState say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from penstock.cluster.triggers import FoundTrigger
from penstock.flow.document import Flow
from penstock.triggers.evaluation import Context
from penstock.triggers.firing import Firing
from penstock.triggers.flow_trigger.groups import Entry, Group, groups_of
from penstock.triggers.flow_trigger.memory import GroupMemory, Memory
from penstock.triggers.flow_trigger.model import Dependency, FlowTrigger
from penstock.triggers.flow_trigger.preconditions import UpstreamFlow, Where
from penstock.triggers.properties import unmet
from penstock.triggers.webhook import Hook, answer
from penstock.triggers.webhook_request import Request, request_variables


@dataclass(frozen=True)
class WaitsFor:
    """What a trigger waits for, or what a request does to it."""

    why: str
    details: tuple[str, ...] = ()
    """Lines that say more, such as what is met already."""
    firing: Firing | None = None
    """The execution that the request starts."""


def flow_trigger_waits(
    found: FoundTrigger, trigger: FlowTrigger, home: str, now: datetime
) -> WaitsFor:
    """Say for which executions a Flow trigger waits, and which of them were there."""
    places = trigger.kubernetes_namespaces
    details = [f"it listens to executions in {', '.join(places or [home])}"]
    if any(place != home for place in places):
        details.append("of another namespace it is told those whose Flows allow it")
    states = ", ".join(sorted(trigger.listened))
    groups = list(groups_of(trigger))
    if not groups:
        why = f"it starts one for each execution that satisfies it and comes into {states}"
        return WaitsFor(why, tuple(details))
    kept = found.status.memory
    memory = Memory.model_validate(kept) if isinstance(kept, dict) else Memory.armed(now)
    for group in groups:
        details += _told(group, memory.groups.get(group.key, GroupMemory()), now)
    return WaitsFor("it waits until enough of these are met", tuple(details))


def _told(group: Group, memory: GroupMemory, now: datetime) -> Iterator[str]:
    """Say what is met of the entries that belong together."""
    span = group.around(now)
    if span is None:
        yield f"{group.key}: no window is open now"
        return
    end = "" if span.end is None else f", by {span.end.isoformat()}"
    yield f"{group.key}: {group.needed} of {len(group.entries)} are needed{end}"
    for key, entry in group.entries.items():
        met = memory.met.get(key)
        if met is None or met.date not in span:
            yield f"  not met: {_name(key, entry)}"
        else:
            yield f"  met: {_name(key, entry)}, by {met.execution} at {met.date.isoformat()}"


def _name(key: str, entry: Entry) -> str:
    if not isinstance(entry, UpstreamFlow | Dependency):
        return f"where {entry.id}" if isinstance(entry, Where) else key
    states = f" ({', '.join(entry.states)})" if entry.states else ""
    return f"{entry.namespace or 'any namespace'}.{entry.flow_id or 'any flow'}{states}"


def source_waits(found: FoundTrigger) -> WaitsFor:
    """Say what the listener reported last of a trigger that it serves."""
    status = found.status
    details = []
    if found.state is None:
        details.append("the controller has not looked at it yet")
    else:
        told = "" if not status.message else f": {status.message}"
        details.append(f"it is {status.state or 'not looked at yet'}{told}")
    if status.last_date is not None:
        details.append(f"its last execution is of {status.last_date.isoformat()}")
    return WaitsFor(
        "its listener starts an execution for each event that it admits", tuple(details)
    )


def webhook_waits(hook: Hook, flow: Flow, home: str) -> WaitsFor:
    """Say where a webhook is called."""
    path = f"/api/v1/{home}/executions/webhook/{flow.namespace}/{flow.id}/{hook.key}"
    details = [f"its address, at the Service penstock-gateway: {path}"]
    if hook.webhook.signature is not None:
        details.append(f"calls must be signed as {hook.webhook.signature.scheme} does")
    why = "it starts an execution for each request to its address that it admits"
    return WaitsFor(why, tuple(details))


def webhook_answers(hook: Hook, request: Request, context: Context) -> WaitsFor:
    """Say what a request with the right key would start; its signature is not looked at."""
    unsigned = replace(hook, webhook=hook.webhook.model_copy(update={"signature": None}))
    found = answer(unsigned, request, context)
    if found.firing is not None:
        return WaitsFor("the request is admitted", firing=found.firing)
    if found.error is not None:
        return WaitsFor(f"the answer is {found.status}: {found.error}")
    why = unmet(hook.webhook, context.seeing(trigger=request_variables(request)))
    return WaitsFor(f"the answer is {found.status}: {why}")
