"""Loop: the same tasks for each of many values, each iteration on its own (Kestra 2.0)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from penstock.engine.interface.executable import holds
from penstock.engine.interface.flowable import (
    Evaluator,
    Flowable,
    FlowableError,
    LaneEvaluator,
    LoopLanes,
    Opening,
    Plan,
    enabled,
)
from penstock.engine.kinds.flowables.for_each import as_text
from penstock.engine.kinds.outputs import resolve_outputs
from penstock.expressions.formats.ion import from_ion
from penstock.expressions.limits import Budget, Limits
from penstock.flow.document import FlowOutput
from penstock.flow.model import RenderedBool
from penstock.flow.problems import Location
from penstock.flow.task import Task, Tasks
from penstock.flow.values import parse_json
from penstock.resources.execution import State, TaskRun

_FILES = ("kestra://", "nsfile://")
_URI = re.compile(r"(?:kestra|nsfile)://[-A-Za-z0-9%._~+=/@]+")
"""A URI as the storage writes it: with nothing that ends a text in an expression."""


class Loop(Flowable):
    """Runs its tasks, in order, for each value; only the outputs that it names leave an iteration.

    The tasks see `item.value`, `item.index` and, of a map, `item.key`.

    Outputs: `iterationCount`, `terminatedIterations` by state, `outputs` with one entry for each
    iteration.

    ```yaml
    id: each
    type: io.kestra.plugin.core.flow.Loop
    values:
      dev: http://dev
      prod: http://prod
    outputs:
      - id: url
        type: STRING
        value: "{{ outputs.echo.value }}"
    tasks:
      - id: echo
        type: io.kestra.plugin.core.debug.Return
        format: "{{ item.key }} is {{ item.value }}"
    ```
    """

    isolates = True

    values: str | list[Any] | dict[str, Any]
    """A list or a map, an expression that gives one (as JSON), or the URI of a file with a value in
    each line. Rendered."""
    concurrency_limit: Annotated[int, Field(ge=0)] = 0
    """How many values are worked on at once; 0 for all."""
    tasks: Tasks
    """What is done with each value."""
    transmit_failed: RenderedBool = True
    """Whether an iteration that failed fails the loop."""
    outputs: list[FlowOutput] = []
    """What leaves an iteration."""
    fetch_type: Literal["AUTO", "FETCH", "STORE"] = "AUTO"
    """Whether the outputs of the iterations are a list, or a file."""
    break_when: str | bool | None = None
    """Tried after each iteration, with `item` and `iteration.state` and `iteration.outputs`; no
    further one starts once it holds. Rendered."""

    def open(self, evaluator: Evaluator) -> Opening:
        if self.fetch_type == "STORE":
            raise FlowableError("`fetchType: STORE` is not served yet; use FETCH")
        values = self._values(evaluator)
        keys = list(values) if isinstance(values, dict) else None
        items = list(values.values()) if isinstance(values, dict) else values
        return Opening(_of_none(len(items)), [as_text(value) for value in items], keys)

    def plan(self, run: TaskRun) -> Plan:
        lanes = LoopLanes(enabled(self.tasks), run.values or [])
        stopped = bool((run.outputs or {}).get("stopped"))
        return Plan(lanes, self.concurrency_limit, goes_on=not self.fails, stopped=stopped)

    @property
    def fails(self) -> bool:
        """Whether a failed iteration fails the loop, as far as that is known without rendering."""
        return self.transmit_failed is not False

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("tasks",), self.tasks

    def lane_ended(
        self, run: TaskRun, lane: int, state: State, evaluator: LaneEvaluator
    ) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if state is not State.FAILED:
            given = resolve_outputs(self.outputs, evaluator({}))
        outputs = _with_iteration(run, lane, state, given)
        iteration = {"state": str(state), "outputs": given}
        if self.break_when is not None and not outputs.get("stopped"):
            outputs["stopped"] = holds(self.break_when, evaluator({"iteration": iteration}))
        return outputs

    def lane_failed(self, run: TaskRun, lane: int) -> dict[str, Any]:
        return _with_iteration(run, lane, State.FAILED, {})

    def has_recorded(self, run: TaskRun, lane: int) -> bool:
        listed = (run.outputs or {}).get("outputs", [])
        place = _place_of(lane, listed)
        return place < len(listed) and listed[place]["item"]["iteration"] == lane

    def reopened(self, run: TaskRun) -> dict[str, Any]:
        """Take what the iterations left anew, also from those that have ended."""
        return _of_none(len(run.values or []))

    def outcome(self, worst_child: State) -> State:
        return State.SUCCESS if worst_child is State.FAILED and not self.fails else worst_child

    def _values(self, evaluator: Evaluator) -> list[Any] | dict[str, Any]:
        declared = self.values
        values: Any
        if isinstance(declared, str):
            values = evaluator.evaluate(declared)
        else:
            values = evaluator.render_tree(declared)
        if isinstance(values, str):
            if values.startswith(_FILES):
                return _records(values, evaluator)
            try:
                values = parse_json(values)
            except ValueError:
                raise FlowableError(
                    f"`values` must be a list or a map, but rendered to `{values[:200]}`"
                ) from None
        if isinstance(values, dict):
            return values
        if isinstance(values, list | tuple):
            return list(values)
        raise FlowableError(f"`values` must be a list or a map, not {type(values).__name__}")


def _records(uri: str, evaluator: Evaluator) -> list[Any]:
    """Read what a file holds: the text of each line, or its record where they are of Ion."""
    if _URI.fullmatch(uri) is None:
        raise FlowableError(f"`values` is `{uri[:200]}`, which is not the URI of a file")
    text = evaluator.render(f"{{{{ read('{uri}') }}}}") or ""
    lines = [line for line in text.splitlines() if line.strip()]
    if not uri.endswith(".ion"):
        return list(lines)
    budget = Budget(Limits())
    return [from_ion(line, budget) for line in lines]


def _of_none(iterations: int) -> dict[str, Any]:
    """Give the outputs of a Loop of which no iteration has ended."""
    return {"iterationCount": iterations, "terminatedIterations": {}, "outputs": []}


def _with_iteration(run: TaskRun, lane: int, state: State, given: dict[str, Any]) -> dict[str, Any]:
    """Add an iteration's outputs to the loop's, in the order of the values."""
    item: dict[str, Any] = {"value": (run.values or [])[lane], "iteration": lane}
    if run.keys is not None:
        item["key"] = run.keys[lane]
    outputs = dict(run.outputs or {})
    ended = outputs["terminatedIterations"]
    outputs["terminatedIterations"] = {**ended, str(state): ended.get(str(state), 0) + 1}
    outputs["outputs"] = listed = list(outputs["outputs"])
    listed.insert(_place_of(lane, listed), {"item": item, "outputs": given})
    return outputs


def _place_of(lane: int, listed: Sequence[dict[str, Any]]) -> int:
    """Find where an iteration stands, or would stand, among those that have ended."""
    return bisect_left(listed, lane, key=lambda entry: int(entry["item"]["iteration"]))
