"""The TriggerState resource: what is known of one trigger of a Flow, and what people want of it.

The controller makes one for each trigger of a Flow that it accepts. The Flow owns it, so it goes
with the Flow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from penstock.resources import API_VERSION
from penstock.resources.conditions import Condition
from penstock.resources.execution import ResourceModel
from penstock.resources.flow import named_after
from penstock.resources.labels import FLOW, IGNORE_UPDATES, MANAGED_BY, MANAGER
from penstock.resources.names import label_value

KIND = "TriggerState"
MEMORY_BYTES = 64 * 1024
"""How large the memory of a trigger may be, as JSON."""


class TriggerPhase(StrEnum):
    """How a trigger is, in one word."""

    ARMED = "Armed"
    WAITING = "Waiting"
    """Something is due, and what it started before has not ended."""
    FAILING = "Failing"
    """The last thing that it should have started could not be started."""
    DISABLED = "Disabled"
    ENDED = "Ended"
    """Nothing will be due any more."""
    NOT_SERVED = "NotServed"
    """Penstock starts nothing for it."""


class BackfillRequest(ResourceModel):
    """A range of dates that passed, each of which gets an execution."""

    start: datetime
    """The first date that counts."""
    end: datetime | None = None
    """The last date that counts; the present time where it is not given, or is in the future."""
    inputs: dict[str, Any] = {}
    """Inputs of the executions, before those that the trigger gives. May be expressions."""
    labels: dict[str, str] = {}
    """Labels of the executions beside those that the trigger gives. May be expressions."""
    paused: bool = False
    """While true, nothing more is started."""


class BackfillPhase(StrEnum):
    """How a backfill is, in one word."""

    RUNNING = "Running"
    PAUSED = "Paused"
    FINISHED = "Finished"
    """Each date has its execution, and all of these have ended."""
    CANCELLED = "Cancelled"
    """The backfill was taken out of the spec before it was finished."""
    REFUSED = "Refused"
    """The trigger has no dates that could be gone through."""


class BackfillStatus(ResourceModel):
    """How far a backfill came."""

    id: str
    """What tells it from every other: executions have it in their names, and as the label
    `penstock.dev/backfill`."""
    request: str | None = None
    """A hash of what was asked for; nothing once it is not in the spec any more."""
    state: BackfillPhase
    start: datetime
    end: datetime
    """The last date that counts, fixed when it began."""
    current_date: datetime | None = None
    """The date up to which executions were made."""
    started: int = 0
    """How many executions were made."""
    failed: int = 0
    """How many dates no execution could be made for."""
    message: str | None = None
    """Why the last of these could not be made."""


class TriggerStateSpec(ResourceModel):
    """Which trigger it is, and what people want of it."""

    flow: Annotated[str, Field(min_length=1, max_length=253)]
    """The name of the Flow. It can't be changed."""
    trigger: Annotated[str, Field(min_length=1, max_length=256)]
    """The id of the trigger in the flow. It can't be changed."""
    disabled: bool | None = None
    """Whether it starts nothing; as the flow says where it is not given. A Toggle task sets it
    too: the last one who wrote it counts."""
    backfill: BackfillRequest | None = None
    """Dates that passed, each of which gets an execution. Take it away to cancel it."""


class TriggerStateStatus(ResourceModel):
    """What is known of a trigger."""

    observed_generation: int = -1
    type: str | None = None
    """The type of the trigger, as the flow writes it."""
    state: TriggerPhase | None = None
    """How it is, in one word; `conditions` say the same."""
    plan: str | None = None
    """What its dates follow from: the cron expression and its zone. Where that is changed, dates
    that passed before do not count any more."""
    last_date: datetime | None = None
    """The date up to which executions were made."""
    next_date: datetime | None = None
    """The next date."""
    failures: int = 0
    """How often in a row nothing could be started for a date."""
    disabled_by: str | None = None
    """What disabled it by `spec.disabled`, where no person did."""
    watched_since: datetime | None = None
    """Since when `stopAfter` counts: executions that ended before don't stop the trigger."""
    message: str | None = None
    backfill: BackfillStatus | None = None
    """How far the last backfill came."""
    memory: Any = None
    """What the trigger has to remember; which fields that has, its type knows."""
    conditions: list[Condition] = []

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def fits_memory(value: object) -> bool:
    """Tell whether a value is small enough to be a trigger's memory."""
    return len(json.dumps(value, separators=(",", ":")).encode()) <= MEMORY_BYTES


def trigger_state_name(flow: str, trigger: str) -> str:
    """Name the TriggerState of a trigger of a Flow: always the same, never that of another."""
    return named_after(flow, trigger, "trigger")


def new_trigger_state(flow: Mapping[str, Any], trigger: str, disabled: bool) -> dict[str, Any]:
    """Build the TriggerState that is to be created for a trigger of a Flow."""
    meta = flow["metadata"]
    spec = TriggerStateSpec(flow=meta["name"], trigger=trigger, disabled=disabled or None)
    owner = {
        "apiVersion": API_VERSION,
        "kind": "Flow",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }
    metadata = {
        "name": trigger_state_name(meta["name"], trigger),
        "namespace": meta["namespace"],
        "labels": {MANAGED_BY: MANAGER, FLOW: label_value(meta["name"])},
        "annotations": {IGNORE_UPDATES: "true"},
        "ownerReferences": [owner],
    }
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def is_state_of(body: Mapping[str, Any], flow: Mapping[str, Any]) -> bool:
    """Tell whether a TriggerState is one that the controller made for this very Flow. One that
    somebody else made counts for nothing, whatever its name is."""
    meta, spec = body["metadata"], body.get("spec") or {}
    owners = meta.get("ownerReferences") or ()
    name, uid = flow["metadata"]["name"], flow["metadata"]["uid"]
    owned = any(item.get("controller") and item.get("uid") == uid for item in owners)
    named = meta["name"] == trigger_state_name(name, str(spec.get("trigger")))
    return owned and named and spec.get("flow") == name
