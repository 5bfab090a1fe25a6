"""Starts the executions of a backfill: one for each date of a range that passed.

The range is gone through from its begin, beside what is due: a schedule keeps its dates meanwhile.
One execution of a backfill runs at a time, and up to ten where the trigger says `allowConcurrent`.
The status has the id of the backfill before anything of it is started, and how far it came after
that; an execution is named after the id and its date. So what is decided twice is started once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from penstock.cluster.firings import NameTaken
from penstock.controller.runtime.indexes import has_ended
from penstock.controller.triggers.contexts import Contexts, small_allowance
from penstock.controller.triggers.serving import TriggerAtWork
from penstock.controller.triggers.starter import Starter
from penstock.engine.interface.actions import Report
from penstock.expressions import spending
from penstock.kubernetes.api.client import Object
from penstock.resources.labels import BACKFILL
from penstock.resources.trigger_state import BackfillPhase, BackfillStatus
from penstock.triggers.kinds import ClockDecision, ClockTrigger

AT_ONCE = 10
"""Executions of a backfill that run at the same time, where the trigger allows several."""
_DECISIONS = 10
"""Dates that are looked at before others take their turn."""
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class BackfillStep:
    """How far a backfill came."""

    status: BackfillStatus | None
    reports: tuple[Report, ...] = ()
    more: bool = False
    """Whether it goes on at once."""


def is_of_backfill(execution: Object) -> bool:
    """Tell whether a backfill started an execution."""
    return BACKFILL in (execution["metadata"].get("labels") or {})


class Backfills:
    """Goes on with the backfills of triggers that fire at dates."""

    def __init__(self, starter: Starter, contexts: Contexts) -> None:
        self._starter = starter
        self._contexts = contexts

    async def go_on(self, work: TriggerAtWork, now: datetime) -> BackfillStep:
        """Start the next executions of a trigger's backfill, as many as may run beside those that
        do."""
        backfill = work.before.backfill
        if backfill is None or backfill.state is not BackfillPhase.RUNNING:
            return BackfillStep(backfill)
        if not _is_stored(work, backfill):
            return BackfillStep(backfill, more=True)
        running = sum(is_of_backfill(body) and not has_ended(body) for body in work.executions)
        at_once = AT_ONCE if work.properties.allow_concurrent else 1
        reports: list[Report] = []
        for _ in range(_DECISIONS):
            if _reached(backfill) >= backfill.end:
                if not running:
                    backfill = backfill.model_copy(update={"state": BackfillPhase.FINISHED})
                return BackfillStep(backfill, tuple(reports))
            decision = self._decide(work, backfill, now)
            firing = decision.firing
            is_new = firing is not None and not work.has_started(firing)
            if is_new and running >= at_once:
                return BackfillStep(backfill, tuple(reports))
            await asyncio.sleep(0)
            backfill, report = await self._act(work, backfill, decision)
            reports += [report] if report is not None else []
            running += is_new
        return BackfillStep(backfill, tuple(reports), more=True)

    def _decide(
        self, work: TriggerAtWork, backfill: BackfillStatus, now: datetime
    ) -> ClockDecision:
        """Decide about the next date of the range. What the backfill gives as inputs and labels
        goes before what the trigger gives."""
        kind, wanted, properties = work.kind, work.spec.backfill, work.properties
        assert isinstance(kind, ClockTrigger)
        assert kind.backfill is not None
        assert wanted is not None
        given = {
            "inputs": {**getattr(properties, "inputs", {}), **wanted.inputs},
            "labels": {**properties.labels, **wanted.labels, "backfill": "true"},
        }
        context = self._contexts.of(work, now)
        with spending(small_allowance()):
            decision = kind.backfill(
                properties.model_copy(update=given), _reached(backfill), backfill.end, context
            )
        if decision.firing is None:
            return decision
        key = f"{backfill.id}-{decision.firing.key}"
        return replace(decision, firing=replace(decision.firing, key=key, backfill=backfill.id))

    async def _act(
        self, work: TriggerAtWork, backfill: BackfillStatus, decision: ClockDecision
    ) -> tuple[BackfillStatus, Report | None]:
        """Start what was decided: how far the backfill came, and what there is to tell."""
        told = f"backfill of trigger {work.trigger.id}, date {decision.date}"
        reached = backfill.model_copy(update={"current_date": decision.handled})
        problem = decision.error
        if problem is None and decision.firing is None:
            return reached, None
        if decision.firing is not None:
            firing = decision.firing
            try:
                name = await self._starter.start(
                    work.accepted.body, work.flow.id, work.trigger, firing
                )
            except NameTaken as error:
                problem = str(error)
            else:
                going = reached.model_copy(update={"started": backfill.started + 1})
                if name is None:
                    return going, None
                message = "; ".join((f"{told}: started {name}", *firing.what_is_wrong))
                return going, Report("Scheduled", message, warning=bool(firing.what_is_wrong))
        message = f"{told}: {problem}"
        failed = reached.model_copy(
            update={"failed": backfill.failed + 1, "message": message[:1_000]}
        )
        return failed, Report("TriggerFailed", message, warning=True)


def _reached(backfill: BackfillStatus) -> datetime:
    """Tell up to which instant the dates of a backfill are dealt with."""
    return backfill.current_date or backfill.start - _MOMENT


def _is_stored(work: TriggerAtWork, backfill: BackfillStatus) -> bool:
    """Tell whether the status that the API server has names the backfill."""
    stored = (work.state.get("status") or {}).get("backfill") or {}
    return bool(stored.get("id") == backfill.id)
