"""The variables that expressions see.

Each root variable is made when it is first read: most expressions read one or two of them, and
`outputs` of a long execution is the dear one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn

from penstock.engine.interface.identity import Identity
from penstock.engine.interface.secrets import SecretInputs
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.engine.state.outputs_tree import Scope
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.flow.document import Flow
from penstock.flow.inputs import nest
from penstock.flow.task import Task
from penstock.resources.execution import ExecutionStatus, State, TaskRun
from penstock.storage.folders import OUTPUT_DIR, WORKING_DIR

_ERROR_LOGS = 25
"""The most entries of `errorLogs()`, which is what Kestra gives."""


class Variables(Mapping[str, Any]):
    """The root variables, made on demand and kept."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        self._makers = makers
        self._made: dict[str, Any] = {}

    def beside(self, values: Mapping[str, Any]) -> Variables:
        """Copy the variables, with further ones beside or in place of them."""
        both = Variables({**self._makers, **dict.fromkeys(values, _unmade)})
        both._made |= values
        return both

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _unmade() -> NoReturn:
    raise AssertionError("the value is there")


def execution_variables(
    flow: Flow,
    identity: Identity,
    status: ExecutionStatus,
    run_index: TaskRunIndex,
    changes: ExecutionChanges,
    secrets: SecretInputs,
) -> dict[str, Callable[[], Any]]:
    """Give what every expression of an execution sees, whatever task it belongs to."""
    makers: dict[str, Callable[[], Any]] = {
        "flow": lambda: {
            "id": flow.id,
            "namespace": flow.namespace,
            "revision": identity.revision,
        },
        "execution": lambda: {
            "id": identity.name,
            "startDate": iso(status.start_date or identity.created),
            "originalId": identity.original,
            # While it goes on always the same: an attempt that is asked for again renders alike.
            "state": str(status.state if status.state.terminated else State.RUNNING),
            "outputs": status.outputs,
        },
        "inputs": lambda: nest(secrets.shown(status.inputs)),
        "outputs": lambda: secrets.shown_outputs(run_index.visible_outputs()),
        "vars": lambda: changes.variables,
        "labels": lambda: nest(changes.labels),
        "tasks": lambda: _task_states(run_index),
        "envs": lambda: dict(identity.environment),
        "globals": lambda: dict(identity.globals),
    }
    trigger = identity.trigger
    if trigger is not None:
        makers["trigger"] = lambda: trigger.variables
        if trigger.type.lower().endswith(".schedule"):
            makers["schedule"] = lambda: trigger.variables
    return makers


def task_run_variables(
    run_index: TaskRunIndex, run: TaskRun, task: Task, secrets: SecretInputs
) -> dict[str, Callable[[], Any]]:
    """Give what the expressions of one task run see beside those of the execution."""
    parents = [
        described
        for ancestor in run_index.ancestors(run)
        if (described := _describe_parent(ancestor, secrets))
    ]
    makers: dict[str, Callable[[], Any]] = {
        "task": lambda: {"id": task.id, "type": task.type},
        "taskrun": lambda: _describe(run),
        "parents": lambda: parents,
        "workingDir": lambda: WORKING_DIR,
        "outputDir": lambda: OUTPUT_DIR,
        # Ours alone: by it the merge of a ForEachItem finds its executions, in whatever loop.
        "siblings": lambda: {
            other.task_id: other.outputs or {} for other in run_index.children(run.parent)
        },
    }
    directory = run_index.working_directory(run)
    if directory is not None:
        makers["workerTaskrun"] = lambda: _describe(directory)
    if parents:
        makers["parent"] = lambda: parents[0]
    scope = run_index.scope(run)
    if any(index is not None for _, index in scope):
        makers["item"] = lambda: _item(run_index, run)
    if scope:
        makers["outputs"] = lambda: secrets.shown_outputs(run_index.visible_outputs(scope))
        makers["tasks"] = lambda: _task_states(run_index, scope)
    return makers


def _item(run_index: TaskRunIndex, run: TaskRun) -> dict[str, Any]:
    """The iteration of a Loop in which a task run stands."""
    levels = [
        _iteration(run_index, run_index[loop], index)
        for loop, index in reversed(run_index.scope(run))
        if index is not None  # errors and finally of a Loop stand in none of its iterations
    ]
    own, *parents = levels
    if parents:
        own["parent"] = parents[0]
    own["parents"] = parents
    return own


def _iteration(run_index: TaskRunIndex, loop: TaskRun, index: int) -> dict[str, Any]:
    described: dict[str, Any] = {"value": (loop.values or [])[index], "index": index}
    if loop.keys is not None:
        described["key"] = loop.keys[index]
    return described


def iso(date: datetime) -> str:
    """Write a date as expressions see it: ISO-8601 in UTC with milliseconds."""
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _describe(run: TaskRun) -> dict[str, Any]:
    described: dict[str, Any] = {
        "id": run.id,
        "startDate": iso(run.start_date),
        "attemptsCount": max(len(run.attempts) - 1, 0),
    }
    if run.parent is not None:
        described["parentId"] = run.parent
    if run.value is not None:
        described["value"] = run.value
    if run.iteration is not None:
        described["iteration"] = run.iteration
    return described


def _describe_parent(run: TaskRun, secrets: SecretInputs) -> dict[str, Any]:
    described: dict[str, Any] = {}
    if run.value is not None:
        described["taskrun"] = {"value": run.value}
        if run.iteration is not None:
            described["taskrun"]["iteration"] = run.iteration
    if run.outputs is not None:
        described["outputs"] = secrets.shown_answers(run.task_id, run.outputs)
    return described


def _task_states(run_index: TaskRunIndex, scope: Scope = ()) -> dict[str, Any]:
    states: dict[str, Any] = {}
    for run in run_index:
        own = run_index.scope(run)
        if own != scope[: len(own)]:
            continue
        values = run_index.loop_values(run)
        level = states.setdefault(run.task_id, {})
        for value in values:
            level = level.setdefault(value, {})
        level["state"] = str(run.state)
    return states


def error_logs(run_index: TaskRunIndex) -> list[dict[str, Any]]:
    """What `errorLogs()` gives: why task runs failed, in the order in which they started."""
    return [
        {
            "timestamp": iso(run.end_date) if run.end_date else None,
            "level": "ERROR",
            "taskId": run.task_id,
            "taskRunId": run.id,
            "attempt": max(len(run.attempts) - 1, 0),
            "message": run.message,
        }
        for run in run_index
        if run.message is not None and run.state in (State.FAILED, State.WARNING)
    ][:_ERROR_LOGS]
