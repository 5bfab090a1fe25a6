"""The clock: asks the triggers that fire at dates what is due, and has it started.

Which dates are due is decided by each type of trigger, purely: a
:class:`penstock.triggers.kinds.ClockTrigger`. What was dealt with stands in the Flow's status.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from random import Random

from pydantic import ValidationError

from penstock.controller.flows.revisions import AcceptedFlow
from penstock.controller.keyvalues.index import KeyValueIndex
from penstock.controller.triggers.starter import NameTaken, Starter
from penstock.engine.interface.actions import Report
from penstock.expressions import Allowance, Host, spending
from penstock.flow.document import Flow, Trigger
from penstock.resources.flow import TriggerStatus
from penstock.triggers.evaluation import Context, FlowName, Language
from penstock.triggers.kinds import ClockDecision, ClockTrigger
from penstock.triggers.properties import TriggerProperties
from penstock.triggers.registry import find
from penstock.types import expressions

_SECONDS = 0.1
_CHARACTERS = 4 * 1024 * 1024


def _small() -> Allowance:
    """Make the allowance of the expressions of one trigger, which hold up all that the controller
    does."""
    told = f"the expressions of a trigger take more than {_SECONDS:g} s together"
    return Allowance(_SECONDS, _CHARACTERS, told, shared=True)


class _NotServed(Exception):
    """Nothing is started for a trigger; the text says why."""


class Clock:
    """Serves the triggers that fire at dates; of any other it says that it is not served."""

    def __init__(self, starter: Starter, pairs: KeyValueIndex) -> None:
        self._starter = starter
        self._pairs = pairs

    async def serve(
        self,
        accepted: AcceptedFlow,
        trigger: Trigger,
        known: TriggerStatus | None,
        live: bool,
        toggled_off: bool,
        now: datetime,
    ) -> tuple[TriggerStatus, Report | None]:
        """Fire a trigger where it is due. `live`: an execution of it has not ended yet.
        `toggled_off`: a Toggle task disabled it."""
        flow = accepted.flow
        assert flow is not None
        status = TriggerStatus(id=trigger.id, type=trigger.type)
        try:
            kind, properties = _read(trigger)
        except _NotServed as reason:
            return status.model_copy(update={"served": False, "message": str(reason)}), None
        status = status.model_copy(update={"schedule": kind.plan(properties)})
        if trigger.disabled or flow.disabled:
            return status.model_copy(update={"message": "disabled"}), None
        if toggled_off:
            return status.model_copy(update={"message": "disabled by a Toggle task"}), None
        last = now
        if known is not None and known.last_date is not None and known.schedule == status.schedule:
            last = known.last_date
        context = self._context(accepted, flow, trigger, now)
        report = None
        if not live or properties.allow_concurrent:
            with spending(_small()):
                decision = kind.decide(properties, last, now, context)
            last = decision.handled
            report = await self._act(accepted, flow, trigger, decision)
            if decision.error is not None and report is not None:
                status = status.model_copy(update={"message": report.message})
        after = max(last, now) if live else last
        with spending(_small()):
            next_date = kind.next_look(properties, after, context)
        await asyncio.sleep(0)  # a flow may have many triggers: others take their turn between
        return status.model_copy(update={"last_date": last, "next_date": next_date}), report

    async def _act(
        self, accepted: AcceptedFlow, flow: Flow, trigger: Trigger, decision: ClockDecision
    ) -> Report | None:
        """Start what was decided; what there is to tell of it."""
        if decision.error is not None:
            due = "" if decision.date is None else f", due at {decision.date}"
            message = f"trigger {trigger.id}{due}: {decision.error}"
            return Report("TriggerFailed", message, warning=True)
        firing = decision.firing
        if firing is None:
            return None
        try:
            name = await self._starter.start(accepted.body, flow.id, trigger, firing)
        except NameTaken as error:
            message = f"trigger {trigger.id}, due at {decision.date}: {error}"
            return Report("TriggerFailed", message, warning=True)
        if name is None:
            return None
        message = f"trigger {trigger.id} was due at {decision.date}: started {name}"
        told = "; ".join((message, *firing.problems))
        return Report("Scheduled", told, warning=bool(firing.problems))

    def _context(
        self, accepted: AcceptedFlow, flow: Flow, trigger: Trigger, now: datetime
    ) -> Context:
        """What the expressions of a trigger see."""
        meta = accepted.body["metadata"]
        kv = self._pairs.function(meta["namespace"], flow.namespace)

        def host(at: datetime | None) -> Host:
            seed = trigger.id if at is None else str(at)
            random = Random(f"{meta['uid']}/{seed}")
            return Host(now=lambda: at or now, random=random, functions={"kv": kv})

        return Context(
            language=Language(expressions(), host),
            variables={
                "flow": {"id": flow.id, "namespace": flow.namespace, "revision": accepted.revision},
                "vars": flow.variables,
            },
            flow=FlowName(flow.namespace, flow.id),
        )


def _read(trigger: Trigger) -> tuple[ClockTrigger, TriggerProperties]:
    """The type and the properties of a trigger that is served. Raises ``_NotServed``."""
    kind = find(trigger.type)
    if not isinstance(kind, ClockTrigger) or not kind.served:
        raise _NotServed(f"triggers of type {trigger.type} are not served yet")
    try:
        properties = kind.model.model_validate(trigger.properties)
    except ValidationError as error:
        raise _NotServed("; ".join(line["msg"] for line in error.errors())) from None
    if properties.not_served is not None:
        raise _NotServed(properties.not_served)
    return kind, properties
