"""The starter: makes an Execution of a firing, whichever trigger it is of. Nothing else does.

The name of the Execution follows from the Flow, the trigger and the firing's key. So whoever
creates it first wins, and a second making, after a crash between the creation and the record of it,
finds the first. One that somebody else made under the name, and that asks for something else, is
told of: it took the place of the firing.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import exists_already
from penstock.flow.document import Trigger
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.resources.execution import ExecutionSpec, FlowReference, TriggerReference
from penstock.resources.labels import BACKFILL
from penstock.resources.names import slug
from penstock.resources.new_execution import new_execution
from penstock.triggers.firing import Firing

_READABLE = 60
"""Characters of a name that tell a person which flow and trigger it is of."""
_PLAIN_KEY = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,30}[a-z0-9])?")


class NameTaken(Exception):
    """An Execution of the firing's name is there, and is not the firing's."""


class Starter:
    """Starts the executions that triggers call for."""

    def __init__(self, api: Api, executions: ObjectStore) -> None:
        self._api = api
        self._executions = executions

    async def start(
        self, flow: Object, flow_id: str, trigger: Trigger, firing: Firing
    ) -> str | None:
        """Create the Execution of a firing: its name, or None where it was there already. Raises
        :class:`NameTaken` where the one that is there asks for something else."""
        body = execution_of(flow, flow_id, trigger, firing)
        try:
            created = await self._api.create(EXECUTIONS, body["metadata"]["namespace"], body)
        except ApiError as error:
            if not exists_already(error):
                raise
            name = body["metadata"]["name"]
            existing = await self._api.get(EXECUTIONS, body["metadata"]["namespace"], name)
            if _asked(existing) != _asked(body):
                raise NameTaken(
                    f"the Execution {name} was there already, made by somebody else for something "
                    "else: this firing started nothing"
                ) from None
            return None
        self._executions.put(created)
        return str(body["metadata"]["name"])


def _asked(execution: Object) -> dict[str, Any]:
    """Tell what an Execution is to run, whatever was wanted of it since."""
    spec = execution.get("spec") or {}
    return {key: spec.get(key) for key in ("flow", "inputs", "trigger", "parent", "replay")}


def execution_of(flow: Object, flow_id: str, trigger: Trigger, firing: Firing) -> Object:
    """The Execution of a firing of a trigger of a Flow, as it is created."""
    meta = flow["metadata"]
    spec = ExecutionSpec(
        flow=FlowReference(name=meta["name"]),
        inputs=dict(firing.inputs),
        labels=dict(firing.labels),
        trigger=TriggerReference(
            id=trigger.id, type=trigger.type, variables=dict(firing.variables)
        ),
    )
    name = execution_name(meta["name"], flow_id, trigger.id, firing.key)
    made = new_execution(meta["namespace"], name, spec)
    if firing.backfill is not None:
        made["metadata"]["labels"][BACKFILL] = firing.backfill
    return made


def execution_name(flow: str, flow_id: str, trigger: str, key: str) -> str:
    """The name of the execution of one firing: always the same, never that of another.

    A key that may not stand in a name, or is long, is told by its hash.
    """
    digest = hashlib.sha256(f"{flow}/{trigger}".encode()).hexdigest()[:8]
    plain = _PLAIN_KEY.fullmatch(key) is not None
    told = key if plain else hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{slug(f'{flow_id}-{trigger}', _READABLE)}-{digest}-{told}"
