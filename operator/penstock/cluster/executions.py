"""Executions of one Kubernetes namespace: creates, lists and reads them, and asks things of them.

What is asked of an Execution is written into its spec, as `kubectl patch` would do it; what became
of it stands in its status. So nobody who asks needs more than the right to patch Executions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from penstock.cluster.errors import ClusterError, ControlFailed, ExecutionNotFound
from penstock.cluster.execution_search import ExecutionFilter, FoundExecutions, search
from penstock.cluster.execution_watch import changes
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.kubernetes.api.configmap_store import KeptError
from penstock.kubernetes.status.large_outputs import OutputsKeeper
from penstock.kubernetes.status.task_run_archive import TaskRunArchive
from penstock.resources.execution import Control, ControlResult, ExecutionSpec, ExecutionStatus
from penstock.resources.labels import PARENT_UID
from penstock.resources.new_execution import new_execution

_CONTROL_TRIES = 5
"""How often a control is added anew to those that others added meanwhile."""


@dataclass(frozen=True)
class WholeExecution:
    """An Execution with everything that is kept beside it."""

    body: Object
    """The resource, as the API server has it."""
    status: ExecutionStatus
    """The status with all task runs, outputs and the values of loops."""


class Executions:
    """The Executions of one Kubernetes namespace.

    Besides what each call raises, :class:`ApiError` tells of what the API server refuses.
    """

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def create(self, name: str, spec: ExecutionSpec) -> Object:
        """Create an Execution that stands for itself, with Penstock's labels on it."""
        body = new_execution(self._namespace, name, spec)
        return await self._api.create(EXECUTIONS, self._namespace, body)

    async def list(self, selector: str | None = None) -> list[Object]:
        """List the Executions, or those to which a selector of labels applies."""
        return await self._api.list(EXECUTIONS, self._namespace, selector)

    async def search(self, wanted: ExecutionFilter) -> FoundExecutions:
        """Find the newest Executions that are looked for, newest first."""
        return await search(self._api, self._namespace, wanted)

    async def made_by(self, body: Object) -> tuple[Object, ...]:
        """List the Executions that the tasks of an Execution made, and those of these, and so on:
        they are deleted with it."""
        found: dict[str, Object] = {}
        makers = [body["metadata"]["uid"]]
        for maker in makers:
            for child in await self.list(f"{PARENT_UID}={maker}"):
                uid = child["metadata"]["uid"]
                if uid not in found and _is_owned_by(child, maker):
                    found[uid] = child
                    makers.append(uid)
        return tuple(found.values())

    async def get(self, name: str) -> Object:
        """Get the resource. Raises :class:`ExecutionNotFound`."""
        try:
            return await self._api.get(EXECUTIONS, self._namespace, name)
        except ApiError as error:
            if error.is_gone:
                raise ExecutionNotFound(self._namespace, error) from None
            raise

    async def read(self, name: str) -> WholeExecution:
        """Read an Execution whole.

        Raises :class:`ExecutionNotFound`, and :class:`ClusterError` where a part that is kept
        beside it is lost.
        """
        body = await self.get(name)
        try:
            status, _ = await whole_status(
                body, TaskRunArchive(self._api), OutputsKeeper(self._api)
            )
        except KeptError as error:
            raise ClusterError(error.reason, f"the Execution `{name}`: {error}") from error
        return WholeExecution(body, status)

    async def add_control(self, name: str, control: Control) -> None:
        """Ask for a restart, a replay, a resume or another control, once for each id.

        The control is put into the spec; one of that id is left as it is. Raises
        :class:`ControlFailed`, and :class:`ApiError` for what may be tried again.
        """
        for tries_left in reversed(range(_CONTROL_TRIES)):
            try:
                return await self._add_control(name, control)
            except ApiError as error:
                if error.conflict and tries_left:
                    continue
                if error.not_found:
                    message = f"there is no Execution `{name}` in this namespace"
                    raise ControlFailed("ExecutionNotFound", message) from None
                if error.transient or error.conflict:
                    raise
                raise ControlFailed(error.reason, f"the control was refused: {error}") from None

    async def _add_control(self, name: str, control: Control) -> None:
        body = await self._api.get(EXECUTIONS, self._namespace, name)
        controls = list((body.get("spec") or {}).get("controls") or ())
        if any(item["id"] == control.id for item in controls):
            return
        written = control.model_dump(mode="json", by_alias=True, exclude_none=True)
        patch = {
            # Guards what others add at the same moment: a patch replaces the whole list.
            "metadata": {"resourceVersion": body["metadata"]["resourceVersion"]},
            "spec": {"controls": [*controls, written]},
        }
        await self._api.patch(EXECUTIONS, self._namespace, name, patch)

    def followed(self, name: str) -> AsyncGenerator[Object, None]:
        """Give an Execution, and what it is after each change, until nobody asks any more. Raises
        :class:`ExecutionNotFound`, and :class:`ExecutionGone` once it is deleted."""
        return changes(self._api, self._namespace, name, lambda: self.get(name))

    async def answer(self, name: str, control: str, seconds: float) -> ControlResult | None:
        """Wait for what becomes of a control. None where nothing did in the time."""
        try:
            async with asyncio.timeout(seconds), aclosing(self.followed(name)) as bodies:
                async for body in bodies:
                    status = ExecutionStatus.from_json(body.get("status") or {})
                    for result in status.controls:
                        if result.id == control:
                            return result
        except TimeoutError:
            pass
        return None

    async def delete(self, body: Object) -> None:
        """Delete an Execution, unless another one took its name."""
        meta = body["metadata"]
        await self._api.delete(EXECUTIONS, self._namespace, meta["name"], meta["uid"])

    async def kill(self, name: str) -> Object:
        """Ask an Execution to end, with all that it made, and give it as it is then."""
        patch = {"spec": {"kill": True}}
        return await self._api.patch(EXECUTIONS, self._namespace, name, patch)


def _is_owned_by(body: Object, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in body["metadata"].get("ownerReferences") or ())


async def whole_status(
    body: Object, archive: TaskRunArchive, outputs: OutputsKeeper
) -> tuple[ExecutionStatus, frozenset[str]]:
    """Read a status with all that is kept beside it, and the ids of the task runs of which most
    is. Raises :class:`KeptError` where a part of it is lost."""
    status = ExecutionStatus.from_json(body.get("status") or {})
    status, archived = await archive.fetch(body, status)
    return await outputs.fetch(body["metadata"]["namespace"], status), archived
