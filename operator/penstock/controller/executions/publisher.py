"""Storing what was decided: the status is written, and everybody who looks at it is told.

The status is the intent: nothing of a step is made before it is written (see ``reconciler``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from penstock.controller.executions.status_store import LastStatus, StatusStore
from penstock.controller.executions.write_policy import decides
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.recorder import Recorder
from penstock.engine.interface.actions import Step
from penstock.kubernetes.api.client import Object
from penstock.resources.conditions import tells_of_wait
from penstock.resources.execution import ExecutionStatus
from penstock.resources.health import with_conditions

RUNNING_DELAY = 1.0
"""Seconds by which the news that a task runs may be late: it decides nothing, so it rides on the
next write that does, and short tasks cost one write less."""

StatusWritten = Callable[[Object, ExecutionStatus | None, ExecutionStatus], None]
"""Told of each status that was written: the execution, its status before, and the new one."""


class StatusPublisher:
    """Writes the statuses of executions, with all that goes with it."""

    def __init__(
        self,
        statuses: StatusStore,
        recorder: Recorder,
        metrics: Metrics,
        with_logs: Callable[[Object, ExecutionStatus, datetime], ExecutionStatus],
        written: StatusWritten,
    ) -> None:
        """``with_logs`` writes into a status where the logs are, with a token that is good."""
        self._statuses = statuses
        self._recorder = recorder
        self._metrics = metrics
        self._with_logs = with_logs
        self._written = written

    async def last(self, execution: Object) -> LastStatus | None:
        """Return the status to go on from; None for an execution that has not begun. Raises
        ``ValueLost`` where a part of it is gone."""
        return await self._statuses.recall(execution)

    def may_wait(self, execution: Object, last: LastStatus | None, step: Step) -> float | None:
        """Tell for how many seconds the news of a step may still wait for the next write; None
        where it is to be stored now."""
        if last is None or step.actions or decides(last.status, step.status):
            return None
        if _is_stored(execution, last.status, step.status):
            return None
        last.unsaved_since = last.unsaved_since or time.monotonic()
        late = time.monotonic() - last.unsaved_since
        return RUNNING_DELAY - late if late < RUNNING_DELAY else None

    async def store(
        self, execution: Object, last: LastStatus | None, step: Step, now: datetime
    ) -> ExecutionStatus:
        """Write a step's status, and return it as it stands then."""
        before = None if last is None else last.status
        status = self._with_logs(execution, step.status, now)
        if before is not None and _is_stored(execution, before, status):
            return before
        status = with_conditions(status, _generation(execution), now, status.refusal)
        if status != before:
            status = await self._statuses.write(execution, status, before)
        namespace = execution["metadata"]["namespace"]
        counted = self._metrics.task_runs_ended(namespace, before, status)
        for report in (*step.reports, *counted):
            self._recorder.record(execution, report)
        if status.end_date is not None and (before is None or before.end_date != status.end_date):
            self._metrics.execution_ended(status)
        self._written(execution, before, status)
        return status

    async def tell_no_wait(self, execution: Object, status: ExecutionStatus, now: datetime) -> None:
        """Take out of a status that the execution waits, once all of a step was done. It is said
        only then: else that it waits and that it does not would be written by turns."""
        if tells_of_wait(status.conditions):
            clear = with_conditions(status, _generation(execution), now, status.refusal)
            await self._statuses.write(execution, clear, status)

    async def acknowledge(self, execution: Object, now: datetime) -> None:
        """Let the status of an execution that has ended say which generation of its spec was
        seen, and renew the token of its logs where it ends too early."""
        stored = execution["status"]
        # Of all that have ended, at each start: so no more is read than this takes.
        brief = {name: stored[name] for name in ("flow", "endDate", "logs") if name in stored}
        logs = ExecutionStatus.from_json(brief)
        renewed = self._with_logs(execution, logs, now)
        if renewed is not logs or stored.get("observedGeneration") != _generation(execution):
            status = ExecutionStatus.from_json(stored)
            seen = status.model_copy(update={"logs": renewed.logs})
            seen = with_conditions(seen, _generation(execution), now, status.refusal)
            await self._statuses.write(execution, seen, status)


def _is_stored(execution: Object, before: ExecutionStatus, status: ExecutionStatus) -> bool:
    return before == status and before.observed_generation == _generation(execution)


def _generation(execution: Object) -> int:
    return int(execution["metadata"].get("generation", 0))
