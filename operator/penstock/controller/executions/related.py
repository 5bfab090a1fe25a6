"""Executions that other executions make, restart and kill, and who wants to know of whom.

A child is known by its owner: an execution of the same name that somebody else made, or that
belongs to a deleted namesake of the parent, is never taken for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

from penstock.cluster.errors import ControlFailed
from penstock.cluster.executions import Executions
from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.executions.status_store import StatusStore
from penstock.controller.files.provenance import Provenance
from penstock.controller.runtime.indexes import ObjectStore, has_ended, has_pending_controls
from penstock.controller.runtime.keys import ChildOf, RetryOf
from penstock.controller.runtime.outcomes import Again, WaitingError
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
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.kubernetes.status.child_executions import (
    build_execution,
    is_left_over,
    is_meant,
    owners,
)
from penstock.resources.execution import (
    Control,
    ControlResult,
    ExecutionStatus,
    RetryReference,
    State,
)
from penstock.tasks.contract.task import TaskFailure


class NotMade(Exception):
    """An execution can't be made. `reason` is one word for the cause."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class LeftOver(WaitingError):
    """An execution of a deleted namesake has the name still, and is on its way out."""

    reason = "LeftOver"


class RelatedExecutions:
    """What executions do with each other."""

    def __init__(
        self,
        api: Api,
        executions: ObjectStore,
        statuses: StatusStore,
        recorder: Recorder,
        secrets: SecretLocations,
        provenance: Provenance,
        seen: Callable[[Object], None],
    ) -> None:
        self._api = api
        self._executions = executions
        self._statuses = statuses
        self._recorder = recorder
        self._secrets = secrets
        self._provenance = provenance
        self._seen = seen
        self._failed: dict[str, dict[str, ChildSeen]] = {}
        """Executions that can't be, by the uid of who wants them and by name."""
        self._told: dict[str, object] = {}

    async def children(
        self, body: Object, identity: Identity, status: ExecutionStatus
    ) -> dict[str, ChildSeen]:
        """All that the engine may look for: children of open task runs, and retries. A control may
        open any task run again."""
        namespace = body["metadata"]["namespace"]
        wanted = self._children_of(body)
        if not has_pending_controls(body):
            runs = {run.id for run in status.task_runs if not run.state.terminated}
            wanted = [child for child in wanted if _parent(child)["taskRun"] in runs]
        original = RetryOf(namespace, identity.original)
        wanted += [retry for retry in self._executions.find(original) if _retries(retry, identity)]
        found = {child["metadata"]["name"]: await self._statuses.look(child) for child in wanted}
        return found | self._failed.get(body["metadata"]["uid"], {})

    def told(self, body: Object) -> Iterator[str]:
        """The names of executions that want to know how this one is now."""
        meta, spec = body["metadata"], body.get("spec") or {}
        status = body.get("status") or {}
        news = (status.get("state"), [result["id"] for result in status.get("controls", [])])
        if self._told.get(meta["uid"]) == news:
            return
        self._told[meta["uid"]] = news
        yield from self._makers(spec)

    def removed(self, body: Object) -> Iterator[str]:
        """The names of executions that want to know that this one is gone."""
        self._told.pop(body["metadata"]["uid"], None)
        yield from self._makers(body.get("spec") or {})

    def forget(self, body: Object) -> None:
        self._failed.pop(body["metadata"]["uid"], None)

    async def start(self, body: Object, action: StartExecution, status: ExecutionStatus) -> None:
        """Let there be exactly one execution of this name; where that can't be, tell the engine."""
        existing = self._executions.get(body["metadata"]["namespace"], action.name)
        if existing is None and _was_seen(status, action.name):
            self._fail(body, action.name, "ExecutionDeleted", "it was deleted")
        try:
            await self.make(body, action)
        except NotMade as error:
            self._fail(body, action.name, error.reason, str(error))

    async def make(self, body: Object, action: StartExecution) -> None:
        """Create an execution, and adopt it where it is there already. Raises ``NotMade``."""
        namespace = body["metadata"]["namespace"]
        try:
            places = self._secrets.of(body) if action.secrets else None
            wanted = self._provenance.signed(body, build_execution(body, action, places))
        except TaskFailure as error:
            raise NotMade("InvalidTask", str(error)) from None
        existing = self._executions.get(namespace, action.name)
        try:
            if existing is None:
                existing = await self._api.create(EXECUTIONS, namespace, wanted)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                existing = await self._api.get(EXECUTIONS, namespace, action.name)
            elif error.transient or error.not_found or error.is_over_quota or error.is_terminating:
                raise
            else:
                raise NotMade(error.reason, str(error)) from None
        if is_meant(existing, wanted):
            self._seen(existing)
        elif is_left_over(existing, wanted):
            raise LeftOver(f"{action.name} of a deleted execution is still there")
        else:
            message = f"an Execution {action.name} is there that this one did not make"
            raise NotMade("NameClash", message)

    async def control(self, body: Object, action: ControlExecution) -> None:
        """Let another execution have a control; where that can't be, tell the engine."""
        namespace = body["metadata"]["namespace"]
        try:
            await Executions(self._api, namespace).add_control(action.name, action.control)
        except ControlFailed as error:
            self._fail(body, action.name, error.reason, str(error), action.control)

    async def kill(self, body: Object, action: KillExecution) -> None:
        """Let an execution that this one made be asked to end."""
        child = self._executions.get(body["metadata"]["namespace"], action.name)
        if child is not None and body["metadata"]["uid"] in owners(child):
            await self._kill(child)

    async def sweep(self, body: Object) -> None:
        """Kill what a task run that has ended badly left running: the controller may have died
        between writing that end and asking for the kill."""
        live = [child for child in self._children_of(body) if not has_ended(child)]
        if not live:
            return
        status = ExecutionStatus.from_json(body.get("status") or {})
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
            if not error.not_found:
                raise

    def _children_of(self, body: Object) -> list[Object]:
        meta = body["metadata"]
        found = self._executions.find(ChildOf(meta["namespace"], meta["name"]))
        return [child for child in found if meta["uid"] in owners(child)]

    def _makers(self, spec: Object) -> Iterator[str]:
        if parent := (spec.get("parent") or {}).get("execution"):
            yield parent
        if retry := spec.get("retry"):
            original, before = str(retry["original"]), int(retry["attempt"]) - 1
            yield original if before == 1 else retry_name(original, before)

    def _fail(
        self, body: Object, name: str, reason: str, message: str, control: Control | None = None
    ) -> NoReturn:
        """Let the engine see an execution that was refused."""
        self._recorder.record(body, Report(reason, f"execution {name}: {message}", warning=True))
        now = datetime.now(UTC)
        results = [] if control is None else [ControlResult(id=control.id, date=now, done=False)]
        status = ExecutionStatus(
            state=State.FAILED, refusal=reason, message=message, end_date=now, controls=results
        )
        self._failed.setdefault(body["metadata"]["uid"], {})[name] = ChildSeen(status)
        raise Again


def _was_seen(status: ExecutionStatus, name: str) -> bool:
    """Whether an attempt has seen its execution already: a missing one was deleted then."""
    attempts = (run.attempts[-1] for run in status.task_runs if run.attempts)
    return any(item.execution == name and item.state is State.RUNNING for item in attempts)


def _parent(body: Object) -> dict[str, Any]:
    parent: dict[str, Any] = body["spec"]["parent"]
    return parent


def _retries(body: Object, identity: Identity) -> bool:
    """Whether it is a retry of that execution, and not of a deleted one of the same name."""
    try:
        retry = RetryReference.model_validate(body["spec"]["retry"])
    except ValueError:
        return False
    own = identity.retry
    return retry.first_date == (own.first_date if own is not None else identity.created)
