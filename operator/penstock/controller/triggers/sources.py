"""Triggers that a listener serves: what their listener reports is said in their TriggerStates."""

from __future__ import annotations

from datetime import datetime

from penstock.controller.triggers.listener_problems import ListenerProblems
from penstock.controller.triggers.serving import Served, TriggerAtWork
from penstock.resources.listener_report import report_of
from penstock.resources.trigger_state import TriggerPhase, TriggerStateStatus, fits_memory
from penstock.triggers.kinds import TriggerType
from penstock.triggers.properties import TriggerProperties
from penstock.triggers.sources import why_not_served

NO_LISTENERS = (
    "listeners are switched off (`settings.listener.enabled`, `settings.gateway.enabled`): nothing "
    "is listened for"
)
NOT_YET = "the listener of this namespace has not reported yet"


class SourceServer:
    """Says of a trigger what its listener found. It starts nothing itself."""

    def __init__(self, has_listeners: bool, problems: ListenerProblems) -> None:
        self._has_listeners = has_listeners
        self._problems = problems

    def plan(self, kind: TriggerType, properties: TriggerProperties) -> str | None:
        """Say that such a trigger has no dates."""
        return None

    async def serve(self, work: TriggerAtWork, now: datetime) -> Served:
        """Take what the listener reported into the status."""
        why = why_not_served(work.trigger, work.properties)
        if why is None and not self._has_listeners:
            why = NO_LISTENERS
        if why is not None:
            return _told(work, TriggerPhase.NOT_SERVED, why)
        problem = self._problems.of(work.accepted.body["metadata"]["namespace"])
        if problem is not None:
            return _told(work, TriggerPhase.FAILING, problem)
        report = report_of(work.state["metadata"].get("annotations"))
        if report is None:
            return _told(work, TriggerPhase.ARMED, NOT_YET)
        phase = TriggerPhase.FAILING if report.failing else TriggerPhase.ARMED
        served = _told(work, phase, report.message)
        if report.memory is None or not fits_memory(report.memory):
            return served
        status = served.status.model_copy(update={"memory": report.memory})
        return Served(phase, status)


def _told(work: TriggerAtWork, phase: TriggerPhase, message: str) -> Served:
    dates = [body["metadata"].get("creationTimestamp") for body in work.executions]
    last = max((datetime.fromisoformat(item) for item in dates if item), default=None)
    update = {"message": message or None, "last_date": last or work.before.last_date}
    status: TriggerStateStatus = work.before.model_copy(update=update)
    return Served(phase, status)
