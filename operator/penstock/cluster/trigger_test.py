"""Tells what a trigger would start now, and why it would not. Nothing is started.

The decision is the one that the controller makes, upon the Flow, its TriggerState, the key-value
pairs and the Executions of this moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from penstock.cluster.execution_search import state_of
from penstock.cluster.key_values import KeyValues
from penstock.cluster.trigger_events import (
    WaitsFor,
    flow_trigger_waits,
    source_waits,
    webhook_answers,
    webhook_waits,
)
from penstock.cluster.triggers import FoundTrigger
from penstock.expressions import ExpressionError
from penstock.flow.document import Flow, Trigger
from penstock.flow.loading import SourceDocument
from penstock.flow.problems import InvalidFlow
from penstock.kubernetes.api.client import Object
from penstock.resources.labels import BACKFILL
from penstock.storage.errors import StorageError
from penstock.storage.kv import kv_function
from penstock.triggers.evaluation import Context
from penstock.triggers.firing import Firing
from penstock.triggers.flow_context import flow_context
from penstock.triggers.flow_trigger.model import FlowTrigger
from penstock.triggers.kinds import ClockTrigger, RequestTrigger, TriggerType
from penstock.triggers.properties import TriggerProperties
from penstock.triggers.registry import find
from penstock.triggers.sources import why_not_served
from penstock.triggers.webhook import hooks_of
from penstock.triggers.webhook_request import Request
from penstock.types import expressions, flow_parser


@dataclass(frozen=True)
class Verdict:
    """What a trigger does at a moment."""

    firing: Firing | None
    """The execution that it starts; None where it starts none."""
    why: str
    """Why it starts that, or nothing."""
    next_date: datetime | None = None
    """When it is looked at again, where nothing happens before."""
    details: tuple[str, ...] = ()
    """Lines that say more: what is met already, which address it has."""


class _Nothing(Exception):
    """The trigger starts nothing; the text says why."""


def verdict_on(
    found: FoundTrigger,
    executions: Iterable[Object],
    pairs: KeyValues,
    now: datetime,
    request: Request | None = None,
) -> Verdict:
    """Tell what a trigger would start now. ``executions`` are those that it started before;
    ``request`` is one to a webhook."""
    try:
        flow, trigger = _armed(found)
        kind, properties = _kind_of(trigger)
        if request is not None and not isinstance(kind, RequestTrigger):
            raise _Nothing("only a webhook is called: it takes no request")
        if not isinstance(kind, ClockTrigger):
            context = _context(found, flow, trigger, pairs, now)
            found_out = _waits_for(found, flow, trigger, properties, context, request, now)
            return Verdict(found_out.firing, found_out.why, details=found_out.details)
        last = found.status.last_date or now
        context = _context(found, flow, trigger, pairs, now)
        decision = kind.decide(properties, last, now, context)
        waits_for = None if properties.allow_concurrent else _running(executions)
        waits = decision.firing is not None and waits_for is not None
        after = max(last, now) if waits else decision.handled
        next_date = kind.next_look(properties, after, context)
    except _Nothing as reason:
        return Verdict(None, str(reason))
    if decision.error is not None:
        return Verdict(None, f"it can't be told: {decision.error}", next_date)
    if decision.firing is None:
        return Verdict(None, "no date is due", next_date)
    if waits:
        why = f"the date {decision.date} is due, and waits: the Execution {waits_for} has not ended"
        return Verdict(None, why, next_date)
    told = "; ".join((f"the date {decision.date} is due", *decision.firing.what_is_wrong))
    return Verdict(decision.firing, told, next_date)


def _running(executions: Iterable[Object]) -> str | None:
    """Name an execution of a date that has not ended; those of a backfill hold up nothing."""
    for body in executions:
        of_backfill = BACKFILL in (body["metadata"].get("labels") or {})
        if not of_backfill and not state_of(body).terminated:
            return str(body["metadata"]["name"])
    return None


def _armed(found: FoundTrigger) -> tuple[Flow, Trigger]:
    """Give the flow and the trigger, where both may start executions. Raises ``_Nothing``."""
    try:
        flow = flow_parser().parse(SourceDocument(found.flow["spec"])).flow
    except InvalidFlow as error:
        raise _Nothing(f"the flow is not valid: {error}") from None
    trigger = next(item for item in flow.triggers if item.id == found.id)
    if flow.disabled:
        raise _Nothing("the flow is disabled")
    disabled = None if found.state is None else found.state["spec"].get("disabled")
    if disabled:
        by = found.status.disabled_by or "`spec.disabled` of its TriggerState"
        raise _Nothing(f"it is disabled by {by}: `penstock trigger enable` lets it start again")
    if disabled is None and trigger.disabled:
        raise _Nothing("it is disabled in the flow")
    return flow, trigger


def _waits_for(
    found: FoundTrigger,
    flow: Flow,
    trigger: Trigger,
    properties: TriggerProperties,
    context: Context,
    request: Request | None,
    now: datetime,
) -> WaitsFor:
    """Say what a trigger waits for that fires when something happens."""
    home = str(found.flow["metadata"]["namespace"])
    if isinstance(properties, FlowTrigger):
        return flow_trigger_waits(found, properties, home, now)
    for hook in hooks_of([trigger], context):
        if request is not None:
            return webhook_answers(hook, request, context)
        return webhook_waits(hook, flow, home)
    why = why_not_served(trigger, properties)
    if why is not None:
        raise _Nothing(why)
    return source_waits(found)


def _kind_of(trigger: Trigger) -> tuple[TriggerType, TriggerProperties]:
    """Give the kind and the properties of a trigger that is served. Raises ``_Nothing``."""
    kind = find(trigger.type)
    if kind is None or not kind.served:
        raise _Nothing(f"triggers of type {trigger.type} are not served yet")
    try:
        properties = kind.model.model_validate(trigger.properties)
    except ValidationError as error:
        raise _Nothing("; ".join(line["msg"] for line in error.errors())) from None
    if properties.not_served is not None:
        raise _Nothing(properties.not_served)
    return kind, properties


def _context(
    found: FoundTrigger, flow: Flow, trigger: Trigger, pairs: KeyValues, now: datetime
) -> Context:
    """Give what the expressions of the trigger see in the controller."""
    return flow_context(
        expressions(),
        flow,
        trigger.id,
        now,
        uid=found.flow["metadata"]["uid"],
        revision=(found.flow.get("status") or {}).get("revision"),
        kv=_telling(kv_function(pairs.readable(), flow.namespace)),
    )


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    def telling(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except StorageError as error:
            raise ExpressionError(str(error)) from None

    return telling
