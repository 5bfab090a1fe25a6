"""The flow's tasks by id, with the place of each. Made once for a revision of a flow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from penstock.engine.interface.flowable import Flowable, in_sequence
from penstock.engine.kinds.flowables.pause import Holding
from penstock.engine.state.task_run_index import Traits
from penstock.flow.document import Flow
from penstock.flow.inputs import Input
from penstock.flow.problems import Location
from penstock.flow.retries import Retry
from penstock.flow.task import Task


class Role(Enum):
    """What a list of tasks is for."""

    MAIN = auto()
    ERRORS = auto()
    FINALLY = auto()
    AFTER = auto()


@dataclass(frozen=True)
class Place:
    """A task, the flowable around it (None at the top) and the list in which it stands."""

    task: Task
    parent: Flowable | None
    role: Role


class FlowTree:
    """Every task of a flow."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.plan = in_sequence(flow.tasks)
        """What the flow does, in order."""
        lists = (flow.errors, flow.finally_, flow.after_execution)
        self.handlers = frozenset(task.id for tasks in lists for task in tasks)
        """Ids of the tasks at the top whose ends do not count."""
        self._places: dict[str, Place] = {}
        for place in _places(flow.child_lists(), None):
            self._places[place.task.id] = place
        flowables = [
            place.task for place in self._places.values() if isinstance(place.task, Flowable)
        ]
        self.traits = Traits(
            isolating=frozenset(task.id for task in flowables if task.isolates),
            sharing=frozenset(task.id for task in flowables if task.shares),
            flowables=frozenset(task.id for task in flowables),
            asked={
                task.id: asked
                for task in flowables
                if isinstance(task, Holding) and (asked := task.asked_secrets).ids
            },
        )

    def __getitem__(self, task_id: str) -> Place:
        return self._places[task_id]

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._places

    def asked_of(self, task_id: str | None) -> list[Input]:
        """Find the inputs for which a task asks people, or all tasks do."""
        holding = [
            place.task
            for id, place in self._places.items()
            if isinstance(place.task, Holding) and task_id in (None, id)
        ]
        return [item for task in holding for item in task.asked]

    def retry_of(self, task: Task) -> Retry | None:
        """Find the task's own retry, else the one of the nearest flowable around it, else the
        flow's."""
        if task.retry is not None:
            return task.retry
        parent = self._places[task.id].parent
        while parent is not None:
            if parent.retry is not None:
                return parent.retry
            parent = self._places[parent.id].parent
        return self.flow.retry


_ROLES = {"errors": Role.ERRORS, "finally": Role.FINALLY, "afterExecution": Role.AFTER}


def _places(
    lists: Iterable[tuple[Location, list[Task]]], parent: Flowable | None
) -> Iterator[Place]:
    for location, tasks in lists:
        role = _ROLES.get(str(location[0]), Role.MAIN) if location else Role.MAIN
        for task in tasks:
            yield Place(task, parent, role)
            if isinstance(task, Flowable):
                yield from _places(task.child_lists(), task)
