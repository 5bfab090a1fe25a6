"""Ends an Execution that the controller can't reconcile, because of an error of its own.

Whatever fails (observing, deciding, storing), this must not: it goes on from the status as the API
server has it, and looks at nothing else. Jobs and children are stopped by the reconcile of an
execution that has ended, which follows.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

from penstock.controller.executions.publisher import StatusWritten
from penstock.controller.executions.refusals import refuse_execution
from penstock.controller.executions.resolution import Refusal
from penstock.controller.runtime.indexes import ObjectStore, is_finished
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.recorder import Recorder
from penstock.controller.runtime.status_writer import write_status
from penstock.engine.decision.ending import INTERNAL_ERROR, close_open_runs, ended
from penstock.engine.interface.actions import Report, Step
from penstock.kubernetes.api.client import EXECUTIONS, Api, Object
from penstock.kubernetes.status.large_outputs import without_large_outputs
from penstock.resources.execution import ExecutionStatus, State
from penstock.resources.health import with_conditions

logger = logging.getLogger(__name__)


class Abandonment:
    """Ends Executions of which each reconcile fails."""

    def __init__(
        self,
        api: Api,
        executions: ObjectStore,
        recorder: Recorder,
        metrics: Metrics,
        written: StatusWritten,
    ) -> None:
        self._api = api
        self._executions = executions
        self._recorder = recorder
        self._metrics = metrics
        self._written = written

    async def give_up(self, namespace: str, name: str, error: Exception, lasts: bool) -> bool:
        """End an execution by the error that ended its reconcile; False where it is left as it is.
        One that is to be killed ends at once, every other one only if the error lasts."""
        execution = self._executions.get(namespace, name)
        if execution is None or is_finished(execution):
            return False
        is_killed = (execution.get("spec") or {}).get("kill") is True
        if not (lasts or is_killed):
            return False
        now = datetime.now(UTC)
        before = _status(execution)
        step = _ending(execution, before, type(error).__name__, is_killed=is_killed, now=now)
        generation = int(execution["metadata"].get("generation", 0))
        status = with_conditions(step.status, generation, now, step.status.refusal)
        await write_status(
            self._api, EXECUTIONS, self._executions, execution, without_large_outputs(status)
        )
        logger.error("the execution %s/%s was given up: %s", namespace, name, status.message)
        for report in step.reports:
            self._recorder.record(execution, report)
        if not before.state.terminated:
            self._metrics.execution_ended(status)
        self._written(execution, before, status)
        return True


def _status(execution: Object) -> ExecutionStatus:
    """Read the status as it stands, without what is kept beside it; a new one where it can't be
    read."""
    try:
        return ExecutionStatus.from_json(execution.get("status") or {})
    except (ValueError, TypeError):
        return ExecutionStatus()


def _ending(
    execution: Object, status: ExecutionStatus, error: str, *, is_killed: bool, now: datetime
) -> Step:
    """Decide how it ends. The error's own words may hold a secret, so its type alone is told."""
    fault = (
        f"the controller made an error each time that it looked at it ({error}), of which its log "
        "tells more; please report it"
    )
    begun = status.model_copy(update={"start_date": status.start_date or now})
    status = close_open_runs(begun, State.CANCELLED, now)
    if is_killed and not status.state.terminated:
        message = f"killed as its spec asks, without its tasks being looked at: {fault}"
        report = Report(INTERNAL_ERROR, message, warning=True)
        return Step(ended(status, State.KILLED, message, now), reports=(report,))
    step = refuse_execution(execution, status, Refusal(INTERNAL_ERROR, fault), now)
    if step.reports:
        return step
    return replace(step, reports=(Report(INTERNAL_ERROR, fault, warning=True),))
