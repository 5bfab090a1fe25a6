"""The Flow reconciler: accepts a flow, arms its triggers, and has old revisions and Executions go.

Its verdict on a Flow is a reason (`Accepted`, `Invalid`, `Duplicate`); which conditions follow from
it stands in `resources/conditions.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

from penstock.controller.flows.duplicates import older_duplicate
from penstock.controller.flows.revisions import AcceptedFlow, Revisions
from penstock.controller.runtime.indexes import ObjectStore, is_finished, state_of
from penstock.controller.runtime.outcomes import is_missing
from penstock.controller.runtime.recorder import Recorder
from penstock.controller.runtime.status_writer import write_status
from penstock.engine.interface.actions import Report
from penstock.flow.problems import bounded, problems_text, shortened
from penstock.kubernetes.api.client import FLOWS, Api, ApiError, Object
from penstock.resources.conditions import FLOW, SOURCE_INVALID, is_ready, tells_of_wait
from penstock.resources.flow import (
    PATH_ANNOTATION,
    PROBLEMS_ANNOTATION,
    ExecutionSummary,
    FlowStatus,
    TriggerStatus,
)
from penstock.resources.stored import status_of, written_date

_MAX_MESSAGE = 4_000
_MAX_WARNINGS = 50
_MAX_WARNING = 1_000
"""Characters of a warning; all of them together are a small part of what an object may hold."""


class Summary(Protocol):
    """What the status of a Flow says of its triggers."""

    @property
    def triggers(self) -> list[TriggerStatus]: ...

    @property
    def next_date(self) -> datetime | None: ...


class Triggers(Protocol):
    """What lets the triggers of an accepted flow be served, each by itself."""

    async def arm(self, accepted: AcceptedFlow, before: FlowStatus) -> Summary: ...

    def look_again(self, flow: Object) -> None:
        """Let the triggers of a flow look whether it is accepted."""


class Retention(Protocol):
    """What lets ended executions of a flow go."""

    async def apply(self, own: list[Object], now: datetime) -> None: ...


class FlowReconciler:
    """Accepts a Flow, arms its triggers, and lets old revisions and Executions of it go."""

    def __init__(
        self,
        api: Api,
        flows: ObjectStore,
        executions: ObjectStore,
        revisions: Revisions,
        triggers: Triggers,
        retention: Retention,
        recorder: Recorder,
    ) -> None:
        self._api = api
        self._flows = flows
        self._executions = executions
        self._revisions = revisions
        self._triggers = triggers
        self._retention = retention
        self._recorder = recorder

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Seconds after which to look again, or None."""
        body = self._flows.get(namespace, name)
        if body is None:
            own = self._executions.find((namespace, name))
            in_use = _revisions_of(body for body in own if not is_finished(body))
            await self._revisions.prune(namespace, name, in_use, keep=0)
            return None
        if body["metadata"].get("deletionTimestamp"):
            return None
        now = datetime.now(UTC)
        accepted = await self._revisions.accept(body)
        before = status_of(FlowStatus, body)
        own = self._executions_of(body)
        status = self._judge(accepted, before, now)
        if accepted.engine is not None and is_ready(status.conditions):
            status = await self._arm(accepted, before, status)
        status = status.model_copy(update={"last_execution": _newest(own)})
        # That it does not wait any more is said once nothing is in its way: else the two would be
        # written by turns.
        news = status.model_copy(update={"conditions": before.conditions})
        waited = tells_of_wait(before.conditions) and news == before
        if not waited:
            await self._write(body, before, status)
        await self._retention.apply(own, now)
        if before.revision is not None and before.revision != status.revision:
            await self._revisions.prune(namespace, name, _revisions_of(own))
        if waited:
            await self._write(body, before, status)
        if is_ready(before.conditions) != is_ready(status.conditions):
            self._triggers.look_again(body)
        return None

    def removed(self, body: Object) -> None:
        """A Flow is gone. Its revisions go once nothing runs them: see `reconcile`."""
        self._revisions.forget(body)

    def _judge(self, accepted: AcceptedFlow, before: FlowStatus, now: datetime) -> FlowStatus:
        """Whether the flow is accepted, as conditions."""
        body = accepted.body
        generation = int(body["metadata"].get("generation", 0))
        reason, message = "Accepted", f"revision {accepted.revision}"
        if accepted.engine is None:
            reason, message = "Invalid", _problems_text(accepted)
        elif (first := older_duplicate(self._flows, accepted)) is not None:
            reason = "Duplicate"
            message = f"the Flow {first['metadata']['name']} has the same namespace and id"
        ready = reason == "Accepted"
        conditions = FLOW.judged(before.conditions, reason, message, now, generation)
        problems = _source_problems(body) if ready else None
        conditions = FLOW.marked(
            conditions,
            SOURCE_INVALID,
            None if problems is None else "Invalid",
            f"the last good revision is kept; the file now has problems: {problems}"[:_MAX_MESSAGE],
            now,
            generation,
        )
        self._report_change(body, before, ready, reason, message)
        warnings = [] if accepted.engine is None else bounded(accepted.problems, _MAX_WARNINGS)
        return before.model_copy(
            update={
                "observed_generation": generation,
                "revision": accepted.revision or before.revision,
                "conditions": conditions,
                "warnings": [shortened(str(item), _MAX_WARNING) for item in warnings],
                "triggers": before.triggers if ready else [],
                "next_date": before.next_date if ready else None,
            }
        )

    def _report_change(
        self, body: Object, before: FlowStatus, ready: bool, reason: str, message: str
    ) -> None:
        old = next((item for item in before.conditions if item.type == "Ready"), None)
        if old is None or (old.reason, old.message) != (reason, message[:32_000]):
            self._recorder.record(body, Report(reason, message, warning=not ready))

    async def _arm(
        self, accepted: AcceptedFlow, before: FlowStatus, status: FlowStatus
    ) -> FlowStatus:
        summary = await self._triggers.arm(accepted, before)
        return status.model_copy(
            update={
                "triggers": summary.triggers,
                "disabled_triggers": [],
                "next_date": summary.next_date,
            }
        )

    async def _write(self, body: Object, before: FlowStatus, status: FlowStatus) -> None:
        if status == before:
            return
        try:
            await write_status(self._api, FLOWS, self._flows, body, status.to_json())
        except ApiError as error:
            if not is_missing(error):
                raise

    def _executions_of(self, body: Object) -> list[Object]:
        meta, spec = body["metadata"], body.get("spec") or {}
        by_name = self._executions.find((meta["namespace"], meta["name"]))
        by_id = self._executions.find(
            (meta["namespace"], str(spec.get("namespace")), str(spec.get("id")))
        )
        return [*by_name, *by_id]


def _problems_text(accepted: AcceptedFlow) -> str:
    annotations = accepted.body["metadata"].get("annotations") or {}
    from_source = _source_problems(accepted.body)
    if from_source is not None:
        return from_source[:_MAX_MESSAGE]
    path = annotations.get(PATH_ANNOTATION)
    prefix = f"{path}: " if path else ""
    return problems_text(accepted.problems, _MAX_MESSAGE, lambda problem: f"{prefix}{problem}")


def _source_problems(body: Object) -> str | None:
    """What is wrong with the file in Git that a Flow came from."""
    problems = (body["metadata"].get("annotations") or {}).get(PROBLEMS_ANNOTATION)
    return str(problems) if problems else None


def _newest(own: list[Object]) -> ExecutionSummary | None:
    begun = [
        (date, body["metadata"]["name"], state)
        for body in own
        if (date := written_date((body.get("status") or {}).get("startDate"))) is not None
        and (state := state_of(body)) is not None
    ]
    if not begun:
        return None
    date, name, state = max(begun)
    return ExecutionSummary(name=name, state=state, date=date)


def _revisions_of(executions: Iterable[Object]) -> set[int]:
    """The revisions that they run, or would go on with if they were restarted."""
    pinned = [(body.get("status") or {}).get("flow") or {} for body in executions]
    return {int(flow["revision"]) for flow in pinned if "revision" in flow}
