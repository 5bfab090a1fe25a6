"""Makes Executions of the firings of triggers, in whichever process one fires.

The name of the Execution follows from the Flow, the trigger and the firing's key. So whoever
creates it first wins, and a second making, after a crash between the creation and the record of it
or by another replica, finds the first. One that somebody else made under the name, and that asks
for something else, is told of: it took the place of the firing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.flow.document import Trigger
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.resources.execution import ExecutionSpec, FlowReference
from penstock.resources.labels import BACKFILL
from penstock.resources.names import slug
from penstock.resources.new_execution import new_execution
from penstock.triggers.firing import Firing

_READABLE = 60
"""Characters of a name that tell a person which flow and trigger it is of."""
_PLAIN_KEY = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,30}[a-z0-9])?")


class NameTaken(Exception):
    """An Execution of the firing's name is there, and is not the firing's."""


@dataclass(frozen=True)
class Started:
    """The Execution of a firing."""

    execution: Object
    is_new: bool
    """Whether it was created now; it was there already otherwise."""

    @property
    def name(self) -> str:
        return str(self.execution["metadata"]["name"])


Asked = Callable[[Object], Any]
"""Tells of an Execution what has to be the same in two of the same firing."""


def all_that_is_asked(execution: Object) -> Any:
    """Tell what an Execution is to run, whatever was wanted of it since."""
    spec = execution.get("spec") or {}
    return {key: spec.get(key) for key in ("flow", "inputs", "trigger", "parent", "replay")}


async def start_execution(
    api: Api,
    flow: Object,
    flow_id: str,
    trigger: Trigger,
    firing: Firing,
    asked: Asked = all_that_is_asked,
) -> Started:
    """Create the Execution of a firing, or find it where it was there already.

    Raises :class:`NameTaken` where the one that is there asks for something else, and
    :class:`ApiError`.
    """
    body = execution_of(flow, flow_id, trigger, firing)
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    try:
        return Started(await api.create(EXECUTIONS, namespace, body), is_new=True)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
    existing = await api.get(EXECUTIONS, namespace, name)
    if asked(existing) != asked(body) and not _fails_as_well(existing, body):
        raise NameTaken(
            f"the Execution {name} was there already, made by somebody else for something else: "
            "this firing started nothing"
        )
    return Started(existing, is_new=False)


def _fails_as_well(existing: Object, body: Object) -> bool:
    """Tell whether two Executions of one name are of the same firing, of which at least one is
    FAILED from the start: what could not be told a moment ago may be told now."""
    of = [
        (item["spec"].get("flow"), item["spec"].get("trigger") or {}) for item in (existing, body)
    ]
    (flow, trigger), (other_flow, other_trigger) = of
    return (
        flow == other_flow
        and (trigger.get("id"), trigger.get("type")) == (other_trigger["id"], other_trigger["type"])
        and bool(trigger.get("failure") or other_trigger.get("failure"))
    )


def execution_of(flow: Object, flow_id: str, trigger: Trigger, firing: Firing) -> Object:
    """Build the Execution of a firing of a trigger of a Flow, as it is created."""
    meta = flow["metadata"]
    spec = ExecutionSpec(
        flow=FlowReference(name=meta["name"]),
        inputs=dict(firing.inputs),
        labels=dict(firing.labels),
        trigger=firing.reference(trigger),
    )
    name = execution_name(meta["name"], flow_id, trigger.id, firing.key)
    made = new_execution(meta["namespace"], name, spec)
    if firing.backfill is not None:
        made["metadata"]["labels"][BACKFILL] = firing.backfill
    return made


def execution_name(flow: str, flow_id: str, trigger: str, key: str) -> str:
    """Name the execution of one firing: always the same, never that of another.

    A key that may not stand in a name, or is long, is told by its hash.
    """
    digest = hashlib.sha256(f"{flow}/{trigger}".encode()).hexdigest()[:8]
    plain = _PLAIN_KEY.fullmatch(key) is not None
    told = key if plain else hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{slug(f'{flow_id}-{trigger}', _READABLE)}-{digest}-{told}"
