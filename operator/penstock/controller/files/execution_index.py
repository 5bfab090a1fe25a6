"""What is known of the executions of a Kubernetes namespace, for tasks that look at them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from penstock.controller.files.access import FileAccess
from penstock.controller.runtime.indexes import ObjectStore, is_finished, state_of
from penstock.engine.interface.selecting import ExecutionFacts
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import State
from penstock.resources.stored import written_date
from penstock.storage.errors import StorageUnavailable


class ExecutionIndex:
    """All that were seen and not deleted."""

    def __init__(self, executions: ObjectStore, access: FileAccess) -> None:
        self._executions = executions
        self._access = access

    def facts(self, tenant: str) -> list[ExecutionFacts]:
        """List what is known of each, but of those that name their flow by the resource and have
        not begun."""
        return [facts for body in self._of(tenant) if (facts := self._facts(body)) is not None]

    def get(self, tenant: str, name: str) -> Object | None:
        return self._executions.get(tenant, name)

    def _of(self, tenant: str) -> Iterator[Object]:
        for body in self._executions:
            meta = body["metadata"]
            if meta["namespace"] == tenant and not meta.get("deletionTimestamp"):
                yield body

    def _facts(self, body: Object) -> ExecutionFacts | None:
        meta, status = body["metadata"], body.get("status") or {}
        flow = status.get("flow") or (body.get("spec") or {}).get("flow") or {}
        if not flow.get("namespace") or not flow.get("id"):
            return None
        return ExecutionFacts(
            name=meta["name"],
            namespace=flow["namespace"],
            flow_id=flow["id"],
            state=state_of(body) or State.CREATED,
            start_date=written_date(status.get("startDate"))
            or datetime.fromisoformat(meta["creationTimestamp"]),
            is_over=is_finished(body),
            made_by=((body.get("spec") or {}).get("parent") or {}).get("execution"),
            relies_on=self._relied_on(body),
        )

    def _relied_on(self, body: Object) -> tuple[str, ...]:
        """The executions whose files one may use; its maker is known by its spec as well."""
        try:
            return self._access.needed(body)
        except StorageUnavailable:
            return ()
