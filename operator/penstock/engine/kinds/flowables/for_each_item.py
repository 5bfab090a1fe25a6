"""ForEachItem: another flow for each batch of a file's items.

It opens into three tasks, one after the other: one splits the file, one runs the flow for each
batch, one merges the outputs of those executions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from penstock.engine.interface.actions import Observation
from penstock.engine.interface.executable import (
    Beside,
    ChildFlow,
    ChildrenSeen,
    ExecutableTask,
    holds,
    transmitted,
)
from penstock.engine.interface.flowable import Flowable, FlowableError, Plan, in_sequence
from penstock.engine.interface.states import worst
from penstock.flow.model import Document
from penstock.flow.problems import Location
from penstock.flow.task import RunnableTask, Task
from penstock.resources.execution import ExecutionStatus, State, TaskRun

SPLIT = "io.kestra.plugin.core.flow.ForEachItem$ForEachItemSplit"
ITEMS = "io.kestra.plugin.core.flow.ForEachItem$ForEachItemExecutable"
MERGE = "io.kestra.plugin.core.flow.ForEachItem$ForEachItemMergeOutputs"


class Batch(Document):
    """How the items are put together."""

    rows: int | str | None = None
    """How many items a batch has; 1 where nothing else is given. Rendered."""
    partitions: int | str | None = None
    """How many batches there are. Rendered."""
    bytes: int | str | None = None
    """How large a batch gets, such as `10MB`. Rendered."""
    separator: str = "\n"
    """What stands between two items. Rendered."""


class ForEachItem(ChildFlow, Flowable):
    """Runs another flow for each batch of the items of a file.

    Outputs, of the task `<id>_items`: `numberOfBatches`, `iterations` by state; of `<id>_merge`:
    `subflowOutputs`, the URI of the merged outputs.

    ```yaml
    id: each
    type: io.kestra.plugin.core.flow.ForEachItem
    items: "{{ inputs.file }}"
    batch:
      rows: 100
    namespace: company.team
    flowId: handle
    inputs:
      batch: "{{ taskrun.items }}"
    ```
    """

    items: str
    """The URI of a file in the internal storage, with one item on each line. Rendered."""
    batch: Batch = Batch()
    """How the items are put together."""

    def plan(self, run: TaskRun) -> Plan:
        return in_sequence(self.parts)

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield (), self.parts

    def children(self) -> Iterator[tuple[Location, Task]]:
        for at, task in super().children():
            yield ((at if at[0] in ("errors", "finally") else ()), task)

    @cached_property
    def parts(self) -> list[Task]:
        """Make the three tasks of which a ForEachItem consists."""
        batch = self.batch.model_dump(by_alias=True, exclude_none=True)
        outputs = "{{ siblings['" + self.id + "_items'].children ?? [] }}"
        return [
            RunnableTask(
                id=f"{self.id}_split",
                type=SPLIT,
                properties={"items": self.items, "batch": batch},
            ),
            Items(
                id=f"{self.id}_items",
                type=ITEMS,
                split=f"{self.id}_split",
                **{name: getattr(self, name) for name in ChildFlow.model_fields},
            ),
            RunnableTask(id=f"{self.id}_merge", type=MERGE, properties={"children": outputs}),
        ]


class Items(ChildFlow, ExecutableTask):
    """The executions of a ForEachItem, one for each batch."""

    split: str
    """The id of the task that made the batches."""

    def count(self, beside: Beside) -> int:
        return int(self._split(beside)["count"])

    def own_variables(self, beside: Beside, index: int) -> dict[str, Any]:
        uri = str(self._split(beside)["pattern"]).replace("*", str(index))
        return {"taskrun": {"items": uri, "iteration": index}}

    def conclude(
        self,
        names: Sequence[str],
        statuses: Sequence[ExecutionStatus | None],
        seen: ChildrenSeen,
    ) -> Observation | None:
        if not names:
            return Observation(State.SUCCESS)
        evaluator = seen.evaluator()
        there = [status for status in statuses if status is not None]
        refused = next((status for status in there if status.refusal is not None), None)
        counts = _counts(len(names), there)
        outputs: dict[str, Any] = {"numberOfBatches": len(names), "iterations": counts}
        wait = holds(self.wait, evaluator)
        over = [status for status in there if status.state.terminated or not wait]
        if len(over) < len(names):
            return Observation(State.RUNNING, outputs=outputs)
        if refused is not None:
            message = f"an execution was refused: {refused.message}"
            return Observation(
                State.FAILED, reason=refused.refusal, message=message, outputs=outputs
            )
        if not wait:
            return Observation(State.SUCCESS, outputs=outputs)
        outputs["children"] = [status.outputs for status in there if status.outputs]
        state = worst(transmitted(status.state) for status in there)
        if not holds(self.transmit_failed, evaluator):
            state = State.SUCCESS
        failed = counts.get("FAILED", 0)
        return Observation(
            state,
            reason="SubflowFailed" if state is State.FAILED else None,
            message=f"{failed} of {len(names)} executions failed" if failed else None,
            outputs=outputs,
        )

    def _split(self, beside: Beside) -> Mapping[str, Any]:
        split = beside(self.split)
        outputs = (split.outputs if split is not None else None) or {}
        if "count" not in outputs:
            raise FlowableError(f"the task {self.split} gave no batches")
        return outputs


def _counts(batches: int, there: Sequence[ExecutionStatus]) -> dict[str, int]:
    """Count the executions by state; those that are not there yet are CREATED."""
    states = Counter(
        str(status.state) if status.state.terminated else "RUNNING" for status in there
    )
    return {"CREATED": batches - len(there), "RUNNING": 0, **states}
