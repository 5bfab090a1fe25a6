"""Switch: the branch whose name is the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import model_validator

from penstock.engine.interface.flowable import (
    Evaluator,
    Flowable,
    FlowableError,
    Opening,
    Plan,
    in_sequence,
)
from penstock.flow.problems import Location
from penstock.flow.task import Task, Tasks
from penstock.resources.execution import TaskRun


class Switch(Flowable):
    """Runs the case that equals the value, else `defaults`; with neither it fails.

    Outputs: `value`, what was compared, and `defaults`, whether no case matched.

    ```yaml
    id: price
    type: io.kestra.plugin.core.flow.Switch
    value: "{{ inputs.plan }}"
    cases:
      express:
        - {id: fast, type: io.kestra.plugin.core.log.Log, message: by air}
    defaults:
      - {id: slow, type: io.kestra.plugin.core.log.Log, message: by sea}
    ```
    """

    value: str | bool | int | float
    """What is compared with the cases' names, as text. Rendered."""
    cases: dict[str, Tasks] | None = None
    """The branches by name."""
    defaults: Tasks | None = None
    """Runs where no case matches."""

    @model_validator(mode="after")
    def _some_branch(self) -> Switch:
        if not self.cases and not self.defaults:
            raise ValueError("No task defined, neither cases or default have any tasks")
        return self

    def open(self, evaluator: Evaluator) -> Opening:
        value = evaluator.render(self.value) or ""
        matched = value in (self.cases or {})
        if not matched and self.defaults is None:
            known = ", ".join(self.cases or {})
            raise FlowableError(f"no case for `{value}` and no `defaults` (cases: {known})")
        return Opening(outputs={"value": value, "defaults": not matched})

    def plan(self, run: TaskRun) -> Plan:
        decided: dict[str, Any] = run.outputs or {}
        if decided.get("defaults"):
            return in_sequence(self.defaults or [])
        return in_sequence((self.cases or {}).get(decided.get("value", ""), []))

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        for name, tasks in (self.cases or {}).items():
            yield ("cases", name), tasks
        yield ("defaults",), self.defaults or []
