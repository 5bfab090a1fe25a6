"""The clock: asks the triggers that fire at dates what is due, and has it started.

Which dates are due is decided by each type of trigger, purely: a
:class:`penstock.triggers.kinds.ClockTrigger`. What was dealt with stands in the TriggerState's
status.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from penstock.cluster.firings import NameTaken
from penstock.controller.runtime.indexes import has_ended
from penstock.controller.triggers.backfills import Backfills, is_of_backfill
from penstock.controller.triggers.contexts import Contexts, small_allowance
from penstock.controller.triggers.serving import Served, TriggerAtWork
from penstock.controller.triggers.starter import Starter
from penstock.engine.interface.actions import Report
from penstock.expressions import spending
from penstock.resources.trigger_state import TriggerPhase
from penstock.triggers.kinds import ClockDecision, ClockTrigger, TriggerType
from penstock.triggers.properties import TriggerProperties

_ANOTHER_TRY = timedelta(minutes=5)
"""After this time dates that can't be told are asked for again."""


@dataclass(frozen=True)
class _Started:
    """What came of a decision."""

    report: Report | None = None
    failed: bool = False
    """Whether something should have been started, and was not."""


class Clock:
    """Serves the triggers that fire at dates."""

    def __init__(self, starter: Starter, contexts: Contexts) -> None:
        self._starter = starter
        self._contexts = contexts
        self._backfills = Backfills(starter, contexts)

    def plan(self, kind: TriggerType, properties: TriggerProperties) -> str | None:
        """Say in words what the dates of a trigger follow from."""
        assert isinstance(kind, ClockTrigger)
        return kind.plan(properties)

    async def serve(self, work: TriggerAtWork, now: datetime) -> Served:
        """Start what is due, and the next executions of a backfill. The two don't wait for each
        other."""
        served = await self._serve_dates(work, now)
        step = await self._backfills.go_on(work, now)
        return replace(
            served,
            status=served.status.model_copy(update={"backfill": step.status}),
            look_again=now if step.more else served.look_again,
            reports=(*served.reports, *step.reports),
        )

    async def _serve_dates(self, work: TriggerAtWork, now: datetime) -> Served:
        """Start the execution of a trigger's next date that has come, unless its last one still
        runs and it wants to wait for that."""
        kind, properties = work.kind, work.properties
        assert isinstance(kind, ClockTrigger)
        last, context = work.before.last_date or now, self._contexts.of(work, now)
        with spending(small_allowance()):
            decision = kind.decide(properties, last, now, context)
        waits_for = None
        if decision.firing is not None and not properties.allow_concurrent:
            waits_for = None if work.has_started(decision.firing) else _running(work)
        if waits_for is not None:
            with spending(small_allowance()):
                next_date = kind.next_look(properties, max(last, now), context)
            return _waiting(work, last, waits_for, next_date)
        started = await self._act(work, decision)
        with spending(small_allowance()):
            next_date = kind.next_look(properties, decision.handled, context)
        await asyncio.sleep(0)  # hundreds may be due at once: others take their turn between
        failures, message = work.before.failures, work.before.message
        reports = [] if started.report is None else [started.report]
        if started.failed:
            told = None if started.report is None else started.report.message
            if decision.date is None and told == message:
                reports = []  # nothing is dealt with: it was told before, and is no further failure
            else:
                failures, message = failures + 1, told
        elif decision.handled != work.before.last_date:  # a date was dealt with, or none counts yet
            failures = 0
        phase = TriggerPhase.ARMED if next_date is not None else TriggerPhase.ENDED
        status = work.before.model_copy(
            update={
                "last_date": decision.handled,
                "next_date": next_date,
                "failures": failures,
                "message": message if failures else None,
            }
        )
        if started.failed and next_date is None:
            next_date = now + _ANOTHER_TRY
        return Served(TriggerPhase.FAILING if failures else phase, status, next_date, reports)

    async def _act(self, work: TriggerAtWork, decision: ClockDecision) -> _Started:
        """Start what was decided."""
        trigger = work.trigger
        if decision.error is not None:
            due = "" if decision.date is None else f", due at {decision.date}"
            message = f"trigger {trigger.id}{due}: {decision.error}"
            return _Started(Report("TriggerFailed", message, warning=True), failed=True)
        firing = decision.firing
        if firing is None:
            return _Started()
        try:
            name = await self._starter.start(work.accepted.body, work.flow.id, trigger, firing)
        except NameTaken as error:
            message = f"trigger {trigger.id}, due at {decision.date}: {error}"
            return _Started(Report("TriggerFailed", message, warning=True), failed=True)
        if name is None:
            return _Started()
        message = f"trigger {trigger.id} was due at {decision.date}: started {name}"
        told = "; ".join((message, *firing.what_is_wrong))
        return _Started(Report("Scheduled", told, warning=bool(firing.what_is_wrong)))


def _waiting(
    work: TriggerAtWork, last: datetime, running: str, next_date: datetime | None
) -> Served:
    """Say of a trigger that something is due, and waits for the end of an execution."""
    update = {
        "last_date": last,
        "next_date": next_date,
        "message": f"the Execution {running} has not ended",
    }
    status = work.before.model_copy(update=update)
    return Served(TriggerPhase.WAITING, status, next_date)


def _running(work: TriggerAtWork) -> str | None:
    """Name an execution of a date of the trigger that has not ended; None where all have."""
    running = (body for body in work.executions if not has_ended(body) and not is_of_backfill(body))
    found = next(running, None)
    return None if found is None else str(found["metadata"]["name"])
