"""The relations between the executions of a world: by parent, by retry, by flow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

from penstock.engine.interface.actions import Children, ChildSeen
from penstock.engine.interface.turn import ALONE, Turn
from penstock.local.execution import LocalExecution
from penstock.storage.access import ExecutionRecord, Records
from penstock.storage.uris import ExecutionPlace


class Relations:
    """Finds related executions. What relates them is fixed when they are made."""

    def __init__(self) -> None:
        self._children: dict[str, list[LocalExecution]] = defaultdict(list)
        self._tries: dict[str, list[LocalExecution]] = defaultdict(list)
        self._of_flow: dict[tuple[str, str], list[LocalExecution]] = defaultdict(list)
        self._by_name: dict[str, LocalExecution] = {}

    def add(self, execution: LocalExecution) -> None:
        """Take in a further execution."""
        parent = execution.spec.parent
        if parent is not None:
            self._children[parent.execution].append(execution)
        self._tries[_original(execution)].append(execution)
        self._of_flow[_flow(execution)].append(execution)
        self._by_name[execution.name] = execution

    def children(self, execution: LocalExecution) -> Children:
        """The executions that an execution made, and the other retries of its original."""
        seen = [*self._children[execution.name], *self._tries[_original(execution)]]
        return {
            other.name: ChildSeen(other.status)
            for other in seen
            if other.begun and other is not execution
        }

    def turn(self, execution: LocalExecution, date: datetime) -> Turn:
        """The place of an execution among those of its flow, for `concurrency`."""
        flow = execution.flow
        if flow is None or flow.concurrency is None:
            return ALONE
        all_of_flow = self._of_flow[_flow(execution)]
        before = all_of_flow[: all_of_flow.index(execution)]
        holders = sum(other.holds for other in all_of_flow if other is not execution)
        return Turn(flow.concurrency, holders, sum(other.waits(date) for other in before))

    def concerned(self, execution: LocalExecution, date: datetime) -> Iterator[LocalExecution]:
        """The executions that a change of an execution concerns."""
        parent = execution.spec.parent
        if parent is not None and parent.execution in self._by_name:
            yield self._by_name[parent.execution]
        yield from (item for item in self._tries[_original(execution)] if item is not execution)
        flow = execution.flow
        if flow is not None and flow.concurrency is not None and not execution.holds:
            of_flow = self._of_flow[_flow(execution)]
            yield from (other for other in of_flow if other.waits(date) and other is not execution)


def file_records(executions: Mapping[str, LocalExecution]) -> Records:
    """The records of the executions of a world, for the rule which files they may use."""

    def record(name: str) -> ExecutionRecord | None:
        execution = executions.get(name)
        return None if execution is None else _record(execution)

    return record


def _record(execution: LocalExecution) -> ExecutionRecord:
    spec, status, flow = execution.spec, execution.status, execution.flow
    trigger = None if spec.trigger is None else spec.trigger.variables
    started_by = None if trigger is None else trigger.get("executionId")
    again = (
        spec.retry.original if spec.retry else None,
        spec.replay.execution if spec.replay else None,
    )
    return ExecutionRecord(
        name=execution.name,
        place=ExecutionPlace(flow.namespace, flow.id, execution.name) if flow else None,
        parent=spec.parent.execution if spec.parent else None,
        started_by=None if started_by is None else str(started_by),
        repeats=[name for name in again if name is not None],
        inputs=[spec.inputs, status.inputs, trigger],
        outputs=status.outputs,
        taken={
            attempt.execution: run.outputs
            for run in status.task_runs
            for attempt in run.attempts
            if attempt.execution is not None
        },
    )


def _original(execution: LocalExecution) -> str:
    retry = execution.spec.retry
    return execution.name if retry is None else retry.original


def _flow(execution: LocalExecution) -> tuple[str, str]:
    asked = execution.spec.flow
    return asked.namespace or "", asked.id or ""
