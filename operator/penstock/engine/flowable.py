"""What a flowable task says of itself: which children it has and in which order they run.

A flowable does not run anything. When it opens it may fix what it decided (a condition, the values
of a loop); from then on its plan is a plain description, and one algorithm
(:mod:`penstock.engine.settling`) serves all of them. A new flowable is one file in
:mod:`penstock.engine.flowables`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import Field

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


@dataclass(frozen=True)
class Plan:
    """Lanes that run beside each other, started in order, at most `limit` at once (0: all)."""

    lanes: Sequence[Lane]
    limit: int = 0


@dataclass(frozen=True)
class Opening:
    """What a flowable decided when it opened, kept in its task run."""

    outputs: dict[str, Any] | None = None
    values: list[str] | None = None


class Evaluator(Protocol):
    """The expressions of a flowable, seen from its own task run."""

    def render(self, template: Any) -> str | None:
        """The text of a property. Raises ``ExpressionError``."""

    def evaluate(self, template: Any) -> Any:
        """The value of a property, with its own type where it is a single expression."""

    def render_tree(self, value: Any) -> Any:
        """The text of everything in a list or map."""


class Flowable(Task):
    """A task that holds others."""

    errors: list[AnyTask] = []
    """Runs when a child failed."""
    finally_: Annotated[list[AnyTask], Field(alias="finally")] = []
    """Runs at the end, whatever happened."""

    def open(self, evaluator: Evaluator) -> Opening:
        """Decide what has to be decided once. Raises ``FlowableError`` or ``ExpressionError``."""
        return Opening()

    def plan(self, run: TaskRun) -> Plan:
        """The children, by what was decided at the opening."""
        raise NotImplementedError

    def outcome(self, worst_child: State) -> State:
        """The end state by the worst of the children's."""
        return worst_child

    def child_lists(self) -> Iterator[tuple[Location, list[Task]]]:
        yield from self.branches()
        yield ("errors",), self.errors
        yield ("finally",), self.finally_

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        """The lists of children without the handlers."""
        raise NotImplementedError


def in_sequence(tasks: Sequence[Task]) -> Plan:
    """One lane: each task starts when the one before it ended."""
    return Plan([Lane(tuple(Child(task) for task in enabled(tasks)))])


def enabled(tasks: Sequence[Task]) -> list[Task]:
    """Disabled tasks are left out before anything else (kestra-engine, section 2)."""
    return [task for task in tasks if not task.disabled]
