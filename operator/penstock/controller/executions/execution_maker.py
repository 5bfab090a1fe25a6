"""Making an execution for another one: exactly one of its name, known again by its owner."""

from __future__ import annotations

from collections.abc import Callable

from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.files.provenance import Provenance
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import (
    WaitingError,
    exists_already,
    is_missing,
    is_over_quota,
    is_terminating,
    is_unanswered,
)
from penstock.engine.interface.actions import StartExecution
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.kubernetes.status.child_executions import build_execution, is_left_over, is_meant
from penstock.tasks.contract.task import TaskFailure


class NotMade(Exception):
    """An execution can't be made. `reason` is one word for the cause."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class LeftOver(WaitingError):
    """An execution of a deleted namesake has the name still, and is on its way out."""

    reason = "LeftOver"


class ExecutionMaker:
    """Makes executions for others."""

    def __init__(
        self,
        api: Api,
        executions: ObjectStore,
        secrets: SecretLocations,
        provenance: Provenance,
        seen: Callable[[Object], None],
    ) -> None:
        """``seen`` takes in an Execution as a call has returned it."""
        self._api = api
        self._executions = executions
        self._secrets = secrets
        self._provenance = provenance
        self._seen = seen

    async def make(self, execution: Object, action: StartExecution) -> None:
        """Create the execution that this one wants, or adopt it where it is there already. Raises
        ``NotMade``, and what may pass (``LeftOver``, ``StorageUnavailable``, ``ApiError``)."""
        try:
            places = self._secrets.of(execution) if action.secrets else None
            wanted = self._provenance.signed(execution, build_execution(execution, action, places))
        except TaskFailure as error:
            raise NotMade("InvalidTask", str(error)) from None
        existing = await self._existing(execution["metadata"]["namespace"], action.name, wanted)
        if is_meant(existing, wanted):
            self._seen(existing)
        elif is_left_over(existing, wanted):
            raise LeftOver(f"{action.name} of a deleted execution is still there")
        else:
            message = f"an Execution {action.name} is there that this one did not make"
            raise NotMade("NameClash", message)

    async def _existing(self, namespace: str, name: str, wanted: Object) -> Object:
        """Return the execution of that name, which is created where there is none."""
        existing = self._executions.get(namespace, name)
        if existing is not None:
            return existing
        try:
            return await self._api.create(EXECUTIONS, namespace, wanted)
        except ApiError as error:
            if exists_already(error):
                return await self._api.get(EXECUTIONS, namespace, name)
            waits = is_over_quota(error) or is_terminating(error)
            if waits or is_unanswered(error) or is_missing(error):
                raise
            raise NotMade(error.reason, str(error)) from None
