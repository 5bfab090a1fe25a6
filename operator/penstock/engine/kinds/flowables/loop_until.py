"""LoopUntil, and WaitFor as it was called: the same tasks until a condition holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

from penstock.engine.interface.executable import holds
from penstock.engine.interface.flowable import (
    Again,
    Child,
    Evaluator,
    Flowable,
    Going,
    Lane,
    Opening,
    Plan,
    enabled,
)
from penstock.expressions import is_truthy
from penstock.flow.model import (
    Document,
    DurationProperty,
    Rendered,
    RenderedBool,
    parse_duration,
)
from penstock.flow.problems import Location
from penstock.flow.task import Task, Tasks
from penstock.resources.execution import State, TaskRun

_COUNT = "iterationCount"
_SHORTEST_WAIT = timedelta(milliseconds=100)
"""One loop without a pause must not keep the controller from the other executions."""


class CheckFrequency(Document):
    """How often and for how long the condition is tried."""

    interval: DurationProperty | None = None
    """The wait between two iterations; a minute where it is not given (a second in a WaitFor)."""
    max_iterations: Annotated[Annotated[int, Field(ge=0)] | None, Rendered] = None
    """How many iterations there are at most; without a limit where it is not given (100 in a
    WaitFor)."""
    max_duration: DurationProperty | None = None
    """How long the loop lasts at most; without a limit where it is not given (an hour in a
    WaitFor)."""


class LoopUntil(Flowable):
    """Runs its tasks, waits, and runs them again, until the condition holds after them.

    Outputs: `iterationCount`.

    ```yaml
    id: until_ready
    type: io.kestra.plugin.core.flow.LoopUntil
    condition: "{{ outputs.look.value == 'ready' }}"
    checkFrequency:
      interval: PT30S
      maxIterations: 20
    tasks:
      - id: look
        type: io.kestra.plugin.core.debug.Return
        format: ready
    ```
    """

    interval: ClassVar[timedelta] = timedelta(minutes=1)
    max_iterations: ClassVar[int | None] = None
    max_duration: ClassVar[timedelta | None] = None

    condition: str | bool | int | float
    """Tried each time when the tasks have ended. False where it renders to `false`, `0`, `-0` or
    nothing. Rendered."""
    tasks: Tasks
    """What is done in each iteration; `taskrun.iteration` counts from 1."""
    fail_on_max_reached: RenderedBool = False
    """Whether the task fails where the condition never held; else it ends with SUCCESS."""
    check_frequency: CheckFrequency = CheckFrequency()
    """How often and for how long the condition is tried."""

    def open(self, evaluator: Evaluator) -> Opening:
        return Opening(outputs={_COUNT: 1})

    def plan(self, run: TaskRun) -> Plan:
        if run.state is State.PAUSED:
            return Plan([])
        count = _count(run)
        return Plan([Lane(tuple(Child(task, None, count) for task in enabled(self.tasks)))])

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("tasks",), self.tasks

    def proceed(self, run: TaskRun, evaluator: Evaluator, now: datetime) -> Going | Again:
        if is_truthy(evaluator.evaluate(self.condition)):
            return Going()
        if reached := self._limit_reached(run, evaluator, now):
            failed = holds(self.fail_on_max_reached, evaluator)
            return Going(verdict=State.FAILED if failed else None, message=reached)
        wait = _duration(self.check_frequency.interval, evaluator)
        count = {_COUNT: _count(run) + 1}
        wait = self.interval if wait is None else max(wait, _SHORTEST_WAIT)
        return Again(wait, {**(run.outputs or {}), **count})

    def _limit_reached(self, run: TaskRun, evaluator: Evaluator, now: datetime) -> str | None:
        frequency = self.check_frequency
        limit: Any = frequency.max_iterations
        limit = int(evaluator.render(limit) or 0) if limit is not None else self.max_iterations
        if limit is not None and _count(run) >= limit:
            return f"the condition did not hold after {_count(run)} iterations"
        duration = _duration(frequency.max_duration, evaluator)
        duration = self.max_duration if duration is None else duration
        if duration is not None and now - run.start_date >= duration:
            return f"the condition did not hold within {duration}"
        return None


class WaitFor(LoopUntil):
    """Deprecated: use LoopUntil. Runs its tasks, waits, and runs them again, until the condition
    holds after them.

    Outputs: `iterationCount`.

    ```yaml
    id: until_ready
    type: io.kestra.plugin.core.flow.WaitFor
    condition: "{{ outputs.look.value == 'ready' }}"
    checkFrequency:
      interval: PT30S
      maxIterations: 20
    tasks:
      - id: look
        type: io.kestra.plugin.core.debug.Return
        format: ready
    ```
    """

    interval = timedelta(seconds=1)
    max_iterations = 100
    max_duration = timedelta(hours=1)


def _count(run: TaskRun) -> int:
    return int((run.outputs or {}).get(_COUNT, 1))


def _duration(value: timedelta | str | None, evaluator: Evaluator) -> timedelta | None:
    return parse_duration(evaluator.render(value)) if isinstance(value, str) else value
