"""The Flow resource: the document is its spec, and its status says whether it is armed."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from penstock.flow.limits import MAX_TRIGGERS
from penstock.resources.conditions import Condition
from penstock.resources.execution import ResourceModel, State

SOURCE_LABEL = "penstock.dev/source"
"""The name of the GitSource that owns a Flow."""
BLOB_ANNOTATION = "penstock.dev/blob"
"""The hash, in Git, of the content that the Flow was made of."""
COMMIT_ANNOTATION = "penstock.dev/commit"
"""The commit from which a Flow came."""
PATH_ANNOTATION = "penstock.dev/path"
"""The file, in that commit, from which a Flow came."""

PROBLEMS_ANNOTATION = "penstock.dev/source-problems"
"""What is wrong with the file in Git, with file and line, where it could not be taken in."""

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAMESPACE = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_FLOW_ID = re.compile(rf"(?!(?:.*-)?[0-9a-f]{{10}}$){_LABEL}")
"""The id has no dots, so that the last dot parts namespace and id; nor is it like a hashed name."""
_MAX_NAME = 200


class ExecutionSummary(ResourceModel):
    """One execution of a flow, in a few words."""

    name: str
    state: State
    date: datetime


class TriggerStatus(ResourceModel):
    """One trigger in a few words; its TriggerState has the rest."""

    id: str
    type: str
    served: bool = True
    """Whether Penstock starts executions for it."""
    message: str | None = None
    schedule: str | None = None
    """Written by older versions: what `lastDate` belongs to."""
    last_date: datetime | None = None
    """Written by older versions, until the TriggerState has taken it over: the date up to which
    executions were made."""


class FlowStatus(ResourceModel):
    """Whether a flow is accepted and armed; never whether its last run went well."""

    observed_generation: int = -1
    revision: int | None = None
    """The revision of the spec that was last accepted."""
    triggers: Annotated[list[TriggerStatus], Field(max_length=MAX_TRIGGERS)] = []
    next_date: datetime | None = None
    """The earliest next date of its triggers."""
    disabled_triggers: list[str] = []
    """Written by older versions, until the TriggerStates have taken it over: ids of the triggers
    that a Toggle task disabled."""
    last_execution: ExecutionSummary | None = None
    warnings: list[str] = []
    """What the author should know, such as properties without effect."""
    conditions: list[Condition] = []

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def flow_resource_name(namespace: str, flow_id: str) -> str:
    """Name the Flow resource of a flow: by the flow itself, where that is a valid name."""
    return named_after(namespace, flow_id, "flow")


def named_after(namespace: str, name: str, kind: str) -> str:
    """Name the resource of something that a flow namespace has.

    Ids and keys may have upper case, `_` and dots; those get a hash behind them, so that two never
    share a name (`a.b` with id `c`, and `a` with id `b.c`).
    """
    plain = f"{namespace}.{name}"
    if len(plain) <= _MAX_NAME and _NAMESPACE.fullmatch(namespace) and _FLOW_ID.fullmatch(name):
        return plain
    both = f"{namespace}\0{name}".encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(both).hexdigest()[:10]
    slug = re.sub(r"[^a-z0-9.]+", "-", plain.lower())
    slug = re.sub(r"[-.]*\.[-.]*", ".", slug).strip("-.")[:_MAX_NAME].strip("-.")
    return f"{slug}-{digest}" if slug else f"{kind}-{digest}"
