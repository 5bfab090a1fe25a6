"""Executions that other executions make, restart and kill, and which of them want to know of whom.

A child is known by its owner: an execution of the same name that somebody else made, or that
belongs to a deleted namesake of the parent, is never taken for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from penstock.cluster.errors import ControlFailed
from penstock.cluster.executions import Executions
from penstock.controller.executions.execution_maker import ExecutionMaker, NotMade
from penstock.controller.executions.status_store import StatusStore
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore, has_ended, has_pending_controls
from penstock.controller.runtime.keys import ChildOf, RetryOf
from penstock.controller.runtime.outcomes import Again, is_missing
from penstock.controller.runtime.recorder import Recorder
from penstock.engine.decision.children import retry_name
from penstock.engine.interface.actions import (
    ChildSeen,
    ControlExecution,
    KillExecution,
    Report,
    StartExecution,
)
from penstock.engine.interface.identity import Identity
from penstock.kubernetes.api.client import Api, ApiError, Object
from penstock.kubernetes.status.child_executions import owners
from penstock.resources.execution import (
    Control,
    ControlResult,
    ExecutionStatus,
    RetryReference,
    State,
)


@dataclass
class _Refused:
    """Executions that one execution wants and that can't be: a slot of its memory."""

    children: dict[str, ChildSeen] = field(default_factory=dict)
    """The executions as the engine sees them, by name."""


class RelatedExecutions:
    """Makes, controls and kills executions for other executions."""

    def __init__(
        self,
        api: Api,
        executions: ObjectStore,
        memories: ExecutionMemories,
        statuses: StatusStore,
        maker: ExecutionMaker,
        recorder: Recorder,
        seen: Callable[[Object], None],
    ) -> None:
        """``seen`` takes in an Execution as a call has returned it."""
        self._api = api
        self._executions = executions
        self._memories = memories
        self._statuses = statuses
        self._maker = maker
        self._recorder = recorder
        self._seen = seen

    async def children(
        self, execution: Object, identity: Identity, status: ExecutionStatus
    ) -> dict[str, ChildSeen]:
        """Find all that the engine may look for: children of open task runs, and retries. A control
        may open any task run again."""
        namespace = execution["metadata"]["namespace"]
        wanted = self._children_of(execution)
        if not has_pending_controls(execution):
            runs = {run.id for run in status.task_runs if not run.state.terminated}
            wanted = [child for child in wanted if _parent(child)["taskRun"] in runs]
        original = RetryOf(namespace, identity.original)
        wanted += [retry for retry in self._executions.find(original) if _retries(retry, identity)]
        found = {child["metadata"]["name"]: await self._statuses.look(child) for child in wanted}
        refused = self._memories.look(execution["metadata"]["uid"], _Refused)
        return found if refused is None else found | refused.children

    async def start(
        self, execution: Object, action: StartExecution, status: ExecutionStatus
    ) -> None:
        """Let there be exactly one execution of this name; where that can't be, tell the engine."""
        existing = self._executions.get(execution["metadata"]["namespace"], action.name)
        if existing is None and _was_seen(status, action.name):
            self._fail(execution, action.name, "ExecutionDeleted", "it was deleted")
        try:
            await self._maker.make(execution, action)
        except NotMade as error:
            self._fail(execution, action.name, error.reason, str(error))

    async def control(self, execution: Object, action: ControlExecution) -> None:
        """Let another execution have a control; where that can't be, tell the engine."""
        namespace = execution["metadata"]["namespace"]
        try:
            await Executions(self._api, namespace).add_control(action.name, action.control)
        except ControlFailed as error:
            self._fail(execution, action.name, error.reason, str(error), action.control)

    async def kill(self, execution: Object, action: KillExecution) -> None:
        """Let an execution that this one made be asked to end."""
        child = self._executions.get(execution["metadata"]["namespace"], action.name)
        if child is not None and execution["metadata"]["uid"] in owners(child):
            await self._kill(child)

    async def sweep(self, execution: Object) -> None:
        """Kill what a task run that has ended badly left running: the controller may have died
        between writing that end and asking for the kill."""
        live = [child for child in self._children_of(execution) if not has_ended(child)]
        if not live:
            return
        status = ExecutionStatus.from_json(execution.get("status") or {})
        runs = {run.id: run for run in status.task_runs}
        for child in live:
            run = runs.get(_parent(child)["taskRun"])
            end = run.attempts[-1].state if run is not None and run.attempts else None
            if end is not None and end.terminated and end not in (State.SUCCESS, State.WARNING):
                await self._kill(child)

    async def _kill(self, child: Object) -> None:
        if has_ended(child) or (child.get("spec") or {}).get("kill") is True:
            return
        meta = child["metadata"]
        try:
            self._seen(await Executions(self._api, meta["namespace"]).kill(meta["name"]))
        except ApiError as error:
            if not is_missing(error):
                raise

    def _children_of(self, execution: Object) -> list[Object]:
        meta = execution["metadata"]
        found = self._executions.find(ChildOf(meta["namespace"], meta["name"]))
        return [child for child in found if meta["uid"] in owners(child)]

    def _fail(
        self,
        execution: Object,
        name: str,
        reason: str,
        message: str,
        control: Control | None = None,
    ) -> NoReturn:
        """Let the engine see an execution that was refused."""
        self._recorder.record(
            execution, Report(reason, f"execution {name}: {message}", warning=True)
        )
        now = datetime.now(UTC)
        results = [] if control is None else [ControlResult(id=control.id, date=now, done=False)]
        status = ExecutionStatus(
            state=State.FAILED, refusal=reason, message=message, end_date=now, controls=results
        )
        refused = self._memories.of(execution["metadata"]["uid"], _Refused)
        refused.children[name] = ChildSeen(status)
        raise Again


def makers_of(execution: Object) -> Iterator[str]:
    """Name the executions that want to know how this one is: the one that called it, and the one
    of which it is a retry."""
    spec = execution.get("spec") or {}
    if parent := (spec.get("parent") or {}).get("execution"):
        yield parent
    if retry := spec.get("retry"):
        original, before = str(retry["original"]), int(retry["attempt"]) - 1
        yield original if before == 1 else retry_name(original, before)


def _was_seen(status: ExecutionStatus, name: str) -> bool:
    """Tell whether an attempt has seen its execution already: a missing one was deleted then."""
    attempts = (run.attempts[-1] for run in status.task_runs if run.attempts)
    return any(item.execution == name and item.state is State.RUNNING for item in attempts)


def _parent(child: Object) -> dict[str, Any]:
    parent: dict[str, Any] = child["spec"]["parent"]
    return parent


def _retries(execution: Object, identity: Identity) -> bool:
    """Tell whether an execution is a retry of the identified one, and not of a deleted one of the
    same name."""
    try:
        retry = RetryReference.model_validate(execution["spec"]["retry"])
    except ValueError:
        return False
    own = identity.retry
    return retry.first_date == (own.first_date if own is not None else identity.created)
