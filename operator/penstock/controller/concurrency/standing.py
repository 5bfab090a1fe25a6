"""What counts of an execution where slots are given: whose it is, whether it waits, and its place
among those that wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from penstock.flow.priority import priority_of
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import State
from penstock.resources.stored import written_date

_NEVER = datetime.min.replace(tzinfo=UTC)


class FlowKey(NamedTuple):
    """A Flow, by its Kubernetes namespace and its name."""

    namespace: str
    name: str


class Place(NamedTuple):
    """Where an execution stands among those that wait: the lesser place comes first."""

    behind: int
    """The priority, negated."""
    since: datetime
    name: str
    """Decides between two of one moment."""


@dataclass(frozen=True)
class Standing:
    """An execution that has begun and not ended, or that asks whether it may begin."""

    uid: str
    name: str
    flow: FlowKey
    place: Place
    caller: str | None = None
    """The uid of the execution that called it, as the controller knows it."""
    waits: bool = True
    """Whether it is queued; else it holds its slots."""


def standing_of(body: Object, state: State | None) -> Standing | None:
    """Tell how an Execution in a state counts; None where it has not begun, or has ended."""
    status, meta = body.get("status") or {}, body["metadata"]
    waits = state is State.QUEUED
    if state is None or state.terminated or state is State.CREATED:
        return None
    if waits and meta.get("deletionTimestamp"):
        return None
    spec = body.get("spec") or {}
    flow = (status.get("flow") or {}).get("name") or (spec.get("flow") or {}).get("name")
    priority = priority_of(spec, status.get("labels") or {}) if waits else 0
    return Standing(
        uid=meta["uid"],
        name=meta["name"],
        flow=FlowKey(meta["namespace"], str(flow)),
        place=Place(-priority, _since(body, waits), meta["name"]),
        caller=(status.get("calledBy") or {}).get("uid"),
        waits=waits,
    )


def _since(body: Object, waits: bool) -> datetime:
    """Tell since when an execution waits; where that can't be read, when it was made. Of one that
    does not wait, any moment that stays the same."""
    if not waits:
        return _NEVER
    history = (body.get("status") or {}).get("history") or ()
    queued = written_date(history[-1].get("date")) if history else None
    return queued or written_date(body["metadata"].get("creationTimestamp")) or _NEVER
