"""Makes the records of executions from Executions, for the rule which files they may use.

A record is made of what the controller wrote: the status, which nobody else may write, and of the
spec only which execution of the same flow is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from penstock.kubernetes.api.client import Object
from penstock.storage.access import ExecutionRecord
from penstock.storage.uris import ExecutionPlace


@dataclass(frozen=True)
class ExecutionRecords:
    """The records of the executions of one Kubernetes namespace."""

    find: Callable[[str], Object | None]
    """Gives the Execution of that name; None where there is none."""

    def get(self, name: str) -> ExecutionRecord | None:
        """The record of the execution of that name; None where there is none."""
        body = self.find(name)
        return None if body is None else self.of(body)

    def of(self, body: Object) -> ExecutionRecord:
        """The record of an execution."""
        status = body.get("status") or {}
        caller = status.get("calledBy") or {}
        return ExecutionRecord(
            name=str(body["metadata"]["name"]),
            place=place_of(body),
            parent=self.caller(caller.get("execution"), caller.get("uid")),
            repeats=tuple(self._repeated(body)),
            inputs=status.get("inputs"),
            outputs=status.get("outputs"),
            taken=_taken(status),
        )

    def caller(self, name: str | None, uid: str | None) -> str | None:
        """The name of a caller; None where the execution of that name is another one by now."""
        found = self.find(name) if name and uid else None
        return name if found is not None and found["metadata"].get("uid") == uid else None

    def _repeated(self, body: Object) -> Iterator[str]:
        """The names of the executions that an execution does again. Anybody may ask for that,
        within one flow."""
        spec = body.get("spec") or {}
        for name in (
            (spec.get("retry") or {}).get("original"),
            (spec.get("replay") or {}).get("execution"),
        ):
            again = self.find(str(name)) if name else None
            if again is not None and _is_of_same_flow(body, again):
                yield str(name)


def place_of(body: Object) -> ExecutionPlace | None:
    """The place of an execution's files; None where it has not begun."""
    flow = (body.get("status") or {}).get("flow") or {}
    namespace, flow_id = flow.get("namespace"), flow.get("id")
    if not namespace or not flow_id:
        return None
    return ExecutionPlace(str(namespace), str(flow_id), str(body["metadata"]["name"]))


def _taken(status: Object) -> dict[str, Any]:
    """The outputs that task runs took from the executions which they called, by the names of
    these."""
    return {
        str(attempt["execution"]): run.get("outputs")
        for run in status.get("taskRuns") or ()
        for attempt in run.get("attempts") or ()
        if attempt.get("execution")
    }


def _is_of_same_flow(body: Object, other: Object) -> bool:
    """Whether an execution is of the flow of another, which has begun."""
    theirs = (other.get("status") or {}).get("flow") or {}
    mine = (body.get("status") or {}).get("flow") or (body.get("spec") or {}).get("flow") or {}
    names = ("name",) if mine.get("name") else ("namespace", "id")
    return all(mine.get(name) and mine[name] == theirs.get(name) for name in names)
