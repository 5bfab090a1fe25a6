"""Schedules at work: one Execution for each due time, named from flow, trigger and time.

The name is what makes it safe: whoever creates it first wins, and after a crash between creating
and recording the same name is found again.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from random import Random

from pydantic import ValidationError

from penstock.controller.flows.revisions import AcceptedFlow
from penstock.controller.keyvalues.index import KeyValueIndex
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import exists_already
from penstock.engine.interface.actions import Report
from penstock.expressions import ExpressionError, Host
from penstock.flow.document import Trigger
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.resources.execution import ExecutionSpec, FlowReference, TriggerReference
from penstock.resources.flow import TriggerStatus
from penstock.resources.names import slug
from penstock.resources.new_execution import new_execution
from penstock.triggers.due import due, next_look, schedule_variables
from penstock.triggers.evaluation import Context, FlowName
from penstock.triggers.schedule import Schedule, is_schedule
from penstock.types import expressions


class Schedules:
    """Starts the executions that are due."""

    def __init__(self, api: Api, executions: ObjectStore, pairs: KeyValueIndex) -> None:
        self._api = api
        self._executions = executions
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
        status = TriggerStatus(id=trigger.id, type=trigger.type)
        if not is_schedule(trigger):
            message = f"triggers of type {trigger.type} are not served yet"
            return status.model_copy(update={"served": False, "message": message}), None
        try:
            schedule = Schedule.model_validate(trigger.properties)
        except ValidationError as error:
            message = "; ".join(line["msg"] for line in error.errors())
            return status.model_copy(update={"served": False, "message": message}), None
        if schedule.not_served is not None:
            return status.model_copy(update={"served": False, "message": schedule.not_served}), None
        status = status.model_copy(update={"schedule": f"{schedule.cron} {schedule.timezone}"})
        if trigger.disabled or (accepted.flow is not None and accepted.flow.disabled):
            return status.model_copy(update={"message": "disabled"}), None
        if toggled_off:
            return status.model_copy(update={"message": "disabled by a Toggle task"}), None
        last = now
        if known is not None and known.last_date is not None and known.schedule == status.schedule:
            last = known.last_date
        report = None
        context = self._context(accepted, trigger, now)
        if not live or schedule.allow_concurrent:
            call = due(schedule, last, now, context)
            last = call.handled
            if call.error is not None:
                message = f"trigger {trigger.id}, due at {call.fire}: {call.error}"
                report = Report("TriggerFailed", message, warning=True)
                status = status.model_copy(update={"message": message})
            elif call.fire is not None:
                report = await self._start(accepted, trigger, schedule, call.fire, context)
        after = max(last, now) if live else last
        update = {"last_date": last, "next_date": next_look(schedule, after, context)}
        return status.model_copy(update=update), report

    async def _start(
        self,
        accepted: AcceptedFlow,
        trigger: Trigger,
        schedule: Schedule,
        date: datetime,
        context: Context,
    ) -> Report | None:
        variables = schedule_variables(schedule, date, context)
        inputs = self._inputs(accepted, schedule, variables, date)
        body = _execution(accepted, trigger, date, variables, inputs)
        try:
            created = await self._api.create(EXECUTIONS, body["metadata"]["namespace"], body)
        except ApiError as error:
            if not exists_already(error):
                raise
            return None
        self._executions.put(created)
        name = body["metadata"]["name"]
        return Report("Scheduled", f"trigger {trigger.id} was due at {date}: started {name}")

    def _context(self, accepted: AcceptedFlow, trigger: Trigger, now: datetime) -> Context:
        """What the conditions of a schedule see."""
        flow = accepted.flow
        assert flow is not None
        host = self._host(accepted, now, trigger.id)
        return Context(
            evaluate=lambda template, variables: expressions().evaluate(template, variables, host),
            variables=_flow_variables(accepted),
            flow=FlowName(flow.namespace, flow.id),
        )

    def _inputs(
        self,
        accepted: AcceptedFlow,
        schedule: Schedule,
        variables: dict[str, str],
        date: datetime,
    ) -> dict[str, object]:
        """The trigger's inputs, rendered. What can't be rendered is left: the execution reports
        it."""
        seen = _flow_variables(accepted) | {"trigger": variables, "schedule": variables}
        host = self._host(accepted, date, str(date))
        try:
            rendered: dict[str, object] = expressions().render_tree(schedule.inputs, seen, host)
        except ExpressionError:
            return dict(schedule.inputs)
        return rendered

    def _host(self, accepted: AcceptedFlow, now: datetime, seed: str) -> Host:
        meta, flow = accepted.body["metadata"], accepted.flow
        assert flow is not None
        kv = self._pairs.function(meta["namespace"], flow.namespace)
        random = Random(f"{meta['uid']}/{seed}")
        return Host(now=lambda: now, random=random, functions={"kv": kv})


def execution_name(flow: str, flow_id: str, trigger: str, date: datetime) -> str:
    """The name of the execution for one due time: always the same, never that of another."""
    digest = hashlib.sha256(f"{flow}/{trigger}".encode()).hexdigest()[:8]
    stamp = date.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{slug(f'{flow_id}-{trigger}', 60)}-{digest}-{stamp}"


def _flow_variables(accepted: AcceptedFlow) -> dict[str, object]:
    flow = accepted.flow
    assert flow is not None
    return {
        "flow": {"id": flow.id, "namespace": flow.namespace, "revision": accepted.revision},
        "vars": flow.variables,
    }


def _execution(
    accepted: AcceptedFlow,
    trigger: Trigger,
    date: datetime,
    variables: dict[str, str],
    inputs: dict[str, object],
) -> Object:
    meta = accepted.body["metadata"]
    flow = accepted.flow
    assert flow is not None
    spec = ExecutionSpec(
        flow=FlowReference(name=meta["name"]),
        inputs=inputs,
        trigger=TriggerReference(id=trigger.id, type=trigger.type, variables=variables),
    )
    name = execution_name(meta["name"], flow.id, trigger.id, date)
    return new_execution(meta["namespace"], name, spec)
