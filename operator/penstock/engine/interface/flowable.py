"""What a flowable task says of itself: which children it has and in which order they run.

A flowable does not run anything. When it opens it may fix what it decided (a condition, the values
of a loop); from then on its plan is a plain description, and one algorithm
(:mod:`penstock.engine.decision.settling`) serves all of them. A new flowable is one file in
:mod:`penstock.engine.kinds.flowables`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Protocol, overload

from pydantic import Field

from penstock.engine.interface.secrets import Secrets
from penstock.flow.problems import Location
from penstock.flow.task import AnyTask, Task
from penstock.resources.execution import State, TaskRun


class FlowableError(Exception):
    """A flowable can't open; the text tells the flow's author why."""


@dataclass(frozen=True)
class Child:
    """One task to run inside a flowable, for one value where the flowable is a loop."""

    task: Task
    value: str | None = None
    iteration: int | None = None


@dataclass(frozen=True)
class Lane:
    """Children that run one after the other."""

    children: tuple[Child, ...]
    after: frozenset[str] = frozenset()
    """Ids of the tasks that have to end before the lane starts. They stand in lanes before it."""


class LoopLanes(Sequence[Lane]):
    """The lanes of a loop, one for each value, made when they are looked at."""

    def __init__(self, tasks: Sequence[Task], values: Sequence[str]) -> None:
        self._tasks = tasks
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> Lane: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Lane]: ...
    def __getitem__(self, index: int | slice) -> Lane | Sequence[Lane]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        value = self._values[index]
        return Lane(tuple(Child(task, value, index) for task in self._tasks))

    def unstarted(self, first: int) -> int:
        """How many children the lanes from one on have."""
        return (len(self) - first) * len(self._tasks)


@dataclass(frozen=True)
class Plan:
    """Lanes that run beside each other, started in order, at most `limit` at once (0: all)."""

    lanes: Sequence[Lane]
    limit: int = 0
    goes_on: bool = False
    """Whether a lane that failed keeps no other from starting."""
    stopped: bool = False
    """Whether no further lane starts."""

    def unstarted(self, first: int) -> int:
        """How many children the lanes from one on have."""
        if isinstance(self.lanes, LoopLanes):
            return self.lanes.unstarted(first)
        return sum(len(lane.children) for lane in self.lanes[first:])


@dataclass(frozen=True)
class Hold:
    """A flowable waits before it goes on."""

    duration: timedelta | None = None
    """After which it goes on by itself; None where it waits for ever."""


@dataclass(frozen=True)
class Opening:
    """What a flowable decided when it opened, kept in its task run."""

    outputs: dict[str, Any] | None = None
    values: list[str] | None = None
    keys: list[str] | None = None
    hold: Hold | None = None


@dataclass(frozen=True)
class Going:
    """A flowable that was held goes on."""

    outputs: dict[str, Any] | None = None
    """The outputs of the flowable from now on; None where they stay."""
    verdict: State | None = None
    """How it ends, unless its children make it worse."""
    exit: State | None = None
    """How the execution ends, without anything further."""
    message: str | None = None


@dataclass(frozen=True)
class Again:
    """The children are to run once more."""

    wait: timedelta
    outputs: dict[str, Any]


class Evaluator(Protocol):
    """The expressions of a flowable, seen from its own task run."""

    def render(self, template: Any) -> str | None:
        """The text of a property; a map or a list as its JSON. Raises ``ExpressionError``."""

    def evaluate(self, template: Any) -> Any:
        """The value of a property, with its own type where it is a single expression."""

    def render_tree(self, value: Any) -> Any:
        """The text of everything in a list or map."""


class HandingOn(Evaluator, Protocol):
    """The expressions of a task that gives something to another execution."""

    def inputs(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The text of everything in its inputs; a token is in the place of what is nothing
        but a secret. Raises ``ExpressionError``."""

    @property
    def secrets(self) -> Secrets:
        """The secrets for which the tokens stand that were given."""


LaneEvaluator = Callable[[Mapping[str, Any]], Evaluator]
"""Expressions as the tasks of one lane see them, with further variables."""


class Flowable(Task):
    """A task that holds others."""

    isolates: ClassVar[bool] = False
    """Whether what happens in one lane can't be seen from another, nor from outside."""
    shares: ClassVar[bool] = False
    """Whether its children carry the loop's value that it has itself."""

    errors: list[AnyTask] = []
    """Runs when a child failed."""
    finally_: Annotated[list[AnyTask], Field(alias="finally")] = []
    """Runs at the end, whatever happened."""

    def open(self, evaluator: Evaluator) -> Opening:
        """Decide what has to be decided once. Raises ``FlowableError`` or ``ExpressionError``."""
        return Opening()

    def plan(self, run: TaskRun) -> Plan:
        """Plan the children, by what was decided at the opening; while the flowable is held
        (PAUSED), those that run meanwhile."""
        raise NotImplementedError

    def expire(self, run: TaskRun, now: datetime) -> Going:
        """Say how the flowable goes on when its hold has lasted as long as it may."""
        return Going()

    def proceed(self, run: TaskRun, evaluator: Evaluator, now: datetime) -> Going | Again:
        """Say what follows when the children have ended and none failed. Raises ``FlowableError``
        or ``ExpressionError``, which fail the flowable."""
        return Going()

    def lane_ended(
        self, run: TaskRun, lane: int, state: State, evaluator: LaneEvaluator
    ) -> dict[str, Any]:
        """Give an isolating flowable's outputs, once a lane has ended in that state. Raises
        ``ExpressionError`` or ``InvalidInput``, which fail the lane."""
        raise NotImplementedError

    def lane_failed(self, run: TaskRun, lane: int) -> dict[str, Any]:
        """Give an isolating flowable's outputs, once a lane's own outputs can't be had."""
        raise NotImplementedError

    def has_recorded(self, run: TaskRun, lane: int) -> bool:
        """Whether a lane that has ended is in the outputs already."""
        return False

    def reopened(self, run: TaskRun) -> dict[str, Any] | None:
        """Give the outputs with which a flowable that had ended goes on."""
        return run.outputs

    def closes(self, run: TaskRun) -> bool:
        """Whether an attempt of its own ends the flowable, to take what its children left."""
        return False

    def outcome(self, worst_child: State) -> State:
        """Give the end state, by the worst of the children's."""
        return worst_child

    def child_lists(self) -> Iterator[tuple[Location, list[Task]]]:
        yield from self.branches()
        yield ("errors",), self.errors
        yield ("finally",), self.finally_

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        """Give the lists of children, without the handlers."""
        raise NotImplementedError


def in_sequence(tasks: Sequence[Task]) -> Plan:
    """Plan tasks in one lane: each starts when the one before it ended."""
    return Plan([Lane(tuple(Child(task) for task in enabled(tasks)))])


def enabled(tasks: Sequence[Task]) -> list[Task]:
    """Leave out the tasks that are disabled, before anything else is done with them."""
    return [task for task in tasks if not task.disabled]
