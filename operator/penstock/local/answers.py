"""Answers to pauses that are given before an execution pauses: `penstock run --resume`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.engine.kinds.flowables.pause import Holding
from penstock.engine.state.tree import FlowTree
from penstock.flow.inputs import Input
from penstock.local.execution import LocalExecution
from penstock.resources.execution import Control, ResumeRequest, State, TaskRun

StoreFile = Callable[[LocalExecution, str, str], str]
"""Keeps the file of a path as an input of an execution, by the input's id; its URI, or the path as
it is where there is no such file."""


@dataclass(frozen=True)
class Answers:
    """The answer to the pauses of a run."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Values of `onResume` inputs. A pause ignores values that it does not ask for."""
    tasks: frozenset[str] = frozenset()
    """The ids of the tasks that are resumed; where it is empty, all tasks that pause."""
    stored: StoreFile | None = None
    """Keeps files that are given for inputs of type FILE."""


class Answering:
    """Gives the answers, once for each time that a task pauses."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._given: set[tuple[str, str, datetime]] = set()

    def to(self, execution: LocalExecution) -> Iterator[Control]:
        """The controls to give an execution now."""
        for run in held_runs(execution):
            at = (execution.name, run.id, run.start_date)
            wanted = not self._answers.tasks or run.task_id in self._answers.tasks
            if wanted and at not in self._given:
                self._given.add(at)
                resume = ResumeRequest(task_run=run.id, inputs=self._inputs(execution, run))
                yield Control(id=f"resume-{len(self._given)}", resume=resume)

    def _inputs(self, execution: LocalExecution, run: TaskRun) -> dict[str, Any]:
        inputs = dict(self._answers.inputs)
        stored = self._answers.stored
        for item in asked_inputs(execution, run):
            if stored is not None and item.type == "FILE" and item.id in inputs:
                inputs[item.id] = stored(execution, item.id, str(inputs[item.id]))
        return inputs


def held_runs(execution: LocalExecution) -> Iterator[TaskRun]:
    """The task runs that wait for a person."""
    flow = execution.flow
    paused = [run for run in execution.status.task_runs if run.state is State.PAUSED]
    if flow is None or not paused:
        return
    tree = FlowTree(flow)
    yield from (run for run in paused if holding_task(tree, run) is not None)


def asked_inputs(execution: LocalExecution, run: TaskRun) -> list[Input]:
    """The inputs that a paused task run asks for."""
    flow = execution.flow
    task = None if flow is None else holding_task(FlowTree(flow), run)
    return [] if task is None else task.asked


def holding_task(tree: FlowTree, run: TaskRun) -> Holding | None:
    task = tree[run.task_id].task if run.task_id in tree else None
    return task if isinstance(task, Holding) else None
