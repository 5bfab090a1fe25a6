"""Where the files of an execution lie, and of which executions it may read the files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from penstock.controller.store import ObjectStore
from penstock.kubernetes.api import Object
from penstock.kubernetes.executions import owners
from penstock.storage.uris import ExecutionPlace

_MAX_PARENTS = 32


@dataclass(frozen=True)
class Places:
    """The places of executions, as the cluster has them."""

    executions: ObjectStore

    def parents(self, body: Object) -> tuple[ExecutionPlace, ...]:
        """The executions whose files it may read: that which called or started it, or which it
        does again, and theirs; nearest first.
        """
        found: dict[str, ExecutionPlace] = {}
        pending = [body]
        seen = {str(body["metadata"]["name"])}
        while pending and len(found) < _MAX_PARENTS:
            current = pending.pop(0)
            for caller in self._callers(current):
                name = str(caller["metadata"]["name"])
                place = place_of(caller)
                if name not in seen and place is not None:
                    seen.add(name)
                    found[name] = place
                    pending.append(caller)
        return tuple(found.values())

    def _callers(self, body: Object) -> Iterator[Object]:
        """What a spec says is anyone's to write: who calls it must own it, and what it does again
        must be of its flow."""
        spec = body.get("spec") or {}
        trigger = spec.get("trigger") or {}
        parent = self._named(body, (spec.get("parent") or {}).get("execution"))
        if parent is not None and parent["metadata"]["uid"] in owners(body):
            yield parent
        started = (trigger.get("variables") or {}).get("executionId")
        if str(trigger.get("type", "")).lower().endswith("trigger.flow"):
            yield from filter(None, [self._named(body, started)])
        for name in (
            (spec.get("retry") or {}).get("original"),
            (spec.get("replay") or {}).get("execution"),
        ):
            again = self._named(body, name)
            if again is not None and _same_flow(body, again):
                yield again

    def _named(self, body: Object, name: Any) -> Object | None:
        return self.executions.get(body["metadata"]["namespace"], str(name)) if name else None


def place_of(body: Object) -> ExecutionPlace | None:
    """Where the files of an execution lie; None where it has not begun."""
    flow = (body.get("status") or {}).get("flow") or {}
    namespace, flow_id = flow.get("namespace"), flow.get("id")
    if not namespace or not flow_id:
        return None
    return ExecutionPlace(str(namespace), str(flow_id), str(body["metadata"]["name"]))


def _same_flow(body: Object, other: Object) -> bool:
    """Whether an execution is of the flow of another, which has begun."""
    theirs = (other.get("status") or {}).get("flow") or {}
    mine = (body.get("status") or {}).get("flow") or (body.get("spec") or {}).get("flow") or {}
    names = ("name",) if mine.get("name") else ("namespace", "id")
    return all(mine.get(name) and mine[name] == theirs.get(name) for name in names)
