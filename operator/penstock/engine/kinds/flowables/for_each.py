"""ForEach: the same tasks for each of many values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from penstock.engine.interface.flowable import (
    Evaluator,
    Flowable,
    FlowableError,
    LoopLanes,
    Opening,
    Plan,
    enabled,
)
from penstock.flow.problems import Location
from penstock.flow.task import Task, Tasks
from penstock.flow.values import parse_json
from penstock.resources.execution import TaskRun


class ForEach(Flowable):
    """Runs its tasks, in order, for each distinct value; groups of several values run at once.

    ```yaml
    id: each-city
    type: io.kestra.plugin.core.flow.ForEach
    values: ["Oslo", "Lima"]
    concurrencyLimit: 2
    tasks:
      - id: measure
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.value | length }}"
      - id: tell
        type: io.kestra.plugin.core.log.Log
        message: "{{ taskrun.iteration }}: {{ outputs.measure[taskrun.value].value }}"
    ```
    """

    values: str | list[Any]
    """A list, or an expression that gives one (as JSON). Rendered."""
    concurrency_limit: Annotated[int, Field(ge=0)] = 1
    """How many values are worked on at once; 0 for all."""
    tasks: Tasks
    """What is done with each value, seen as `taskrun.value`."""

    def open(self, evaluator: Evaluator) -> Opening:
        return Opening(values=loop_values(self.values, evaluator))

    def plan(self, run: TaskRun) -> Plan:
        lanes = LoopLanes(enabled(self.tasks), run.values or [])
        return Plan(lanes, self.concurrency_limit)

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("tasks",), self.tasks


def loop_values(declared: Any, evaluator: Evaluator, name: str = "values") -> list[str]:
    """The distinct values of a loop as text, objects as JSON text, in their order.

    What an expression gave is not rendered once more: it may be anyone's text.
    """
    if isinstance(declared, list):
        values: Any = [_rendered(value, evaluator) for value in declared]
    else:
        values = evaluator.evaluate(declared)
    if isinstance(values, str):
        try:
            values = parse_json(values)
        except ValueError:
            raise FlowableError(
                f"`{name}` must be a list or a JSON array, but rendered to `{values[:200]}`"
            ) from None
    if not isinstance(values, list | tuple):
        raise FlowableError(f"`{name}` must be a list, but rendered to {type(values).__name__}")
    return list(dict.fromkeys(as_text(value) for value in values))


def _rendered(value: Any, evaluator: Evaluator) -> Any:
    return evaluator.render(value) if isinstance(value, str) else evaluator.render_tree(value)


def as_text(value: Any) -> str:
    """A loop's value: always text, of objects their JSON. Raises ``FlowableError`` for null."""
    if value is None:
        raise FlowableError("Found a null value inside the iteration values")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
