"""Steps that refuse: an execution with which nothing can be done, and controls that can't be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from penstock.controller.executions.resolution import Refusal
from penstock.engine.decision.engine import refuse
from penstock.engine.interface.actions import Report, Step
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ControlResult, ExecutionStatus, State


def refuse_execution(
    execution: Object, status: ExecutionStatus | None, refusal: Refusal, now: datetime
) -> Step:
    """End an execution with which nothing can be done. One that has ended is left as it is, and
    what is wanted of it is refused."""
    if status is None:
        status = ExecutionStatus(start_date=now)
    if not status.state.terminated:
        return refuse(status, refusal.reason, str(refusal), now)
    step = refuse_controls(status, _untold(execution, status), str(refusal), now)
    if status.after_execution is State.RUNNING:
        failed = step.status.model_copy(update={"after_execution": State.FAILED})
        step = replace(step, status=failed)
    return step


def refuse_controls(
    status: ExecutionStatus, controls: Iterable[str], message: str, now: datetime
) -> Step:
    """Decide nothing but that these controls, by their ids, can't be done."""
    refused = tuple(controls)
    results = [ControlResult(id=id, date=now, done=False, message=message) for id in refused]
    reports = tuple(
        Report("ControlRefused", f"`{id}` was refused: {message}", warning=True) for id in refused
    )
    changed = status.model_copy(update={"controls": [*status.controls, *results]})
    return Step(changed, reports=reports)


def _untold(execution: Object, status: ExecutionStatus) -> list[str]:
    """Find the ids of the controls of which the status does not tell, whatever else is wrong with
    the spec."""
    told = {result.id for result in status.controls}
    asked = [control["id"] for control in (execution.get("spec") or {}).get("controls") or ()]
    return [id for id in asked if id not in told]
