"""SLAs: what an execution must keep to."""

from __future__ import annotations

from datetime import datetime

from penstock.engine.interface.actions import Report
from penstock.engine.rendering.evaluators import BoundEvaluator
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.expressions import ExpressionError
from penstock.flow.document import TIMEOUT, Flow, Sla
from penstock.flow.model import parse_duration
from penstock.resources.execution import ExecutionStatus, State

_ENDS = {"FAIL": State.FAILED, "CANCEL": State.CANCELLED}


class SlaWatch:
    """Looks whether an execution keeps to the SLAs of its flow. Only the first violation acts."""

    def __init__(
        self,
        flow: Flow,
        status: ExecutionStatus,
        evaluator: BoundEvaluator,
        changes: ExecutionChanges,
        now: datetime,
        scheduled: datetime | None = None,
    ) -> None:
        self._flow = flow
        self._status = status
        self._evaluator = evaluator
        self._changes = changes
        self._now = now
        self._scheduled = scheduled

    def check(self) -> Report | None:
        """Act on the first violation, and report it."""
        if self._changes.violated_sla is not None:
            return None
        for sla in self._flow.promises:
            if why := self._violation(sla):
                return self._act(sla, why)
        return None

    def deadline(self) -> datetime | None:
        """Say when to look again although nothing happened."""
        if self._changes.violated_sla is not None:
            return None
        dates = (self._deadline_of(sla) for sla in self._flow.promises)
        return min((date for date in dates if date is not None), default=None)

    def _act(self, sla: Sla, why: str) -> Report:
        rule = "the flow's timeout" if sla.id == TIMEOUT else f"the SLA `{sla.id}`"
        reason = f"{rule} was violated: {why}"
        self._changes.violated_sla = sla.id
        labels = {key: self._rendered(value) for key, value in sla.labels.items()}
        self._changes.labels = {**self._changes.labels, **labels}
        if sla.behavior in _ENDS:
            self._changes.leave(_ENDS[sla.behavior], reason)
        return Report("SlaViolated", reason, warning=True)

    def _violation(self, sla: Sla) -> str | None:
        if sla.type == "MAX_DURATION":
            deadline = self._deadline_of(sla)
            late = deadline is not None and deadline <= self._now
            return "it took too long" if late else None
        try:
            kept = self._evaluator.render(sla.assert_)
        except ExpressionError:
            # It speaks of something that is not there yet, such as outputs.
            return None
        return None if kept == "true" else "its assertion does not hold"

    def _deadline_of(self, sla: Sla) -> datetime | None:
        if sla.type != "MAX_DURATION" or self._start is None:
            return None
        duration = sla.duration
        if isinstance(duration, str):
            try:
                duration = parse_duration(self._evaluator.render(duration))
            except (ExpressionError, ValueError):
                return None
        return None if duration is None else self._start + duration

    @property
    def _start(self) -> datetime | None:
        """Since when the time is counted; None after a restart, which Kestra does not watch."""
        if any(item.state is State.RESTARTED for item in self._status.history):
            return None
        start = self._status.start_date
        return start if start is None else max(start, self._scheduled or start)

    def _rendered(self, text: str) -> str:
        try:
            return self._evaluator.render(text) or ""
        except ExpressionError:
            return text
