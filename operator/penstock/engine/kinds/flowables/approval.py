"""Approval: wait for a person's yes or no (Kestra 2.0)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

from penstock.engine.interface.executable import holds
from penstock.engine.interface.flowable import (
    Child,
    Evaluator,
    FlowableError,
    Going,
    Lane,
    Opening,
    Plan,
    enabled,
)
from penstock.engine.kinds.flowables.pause import Holding, hold
from penstock.flow.inputs import Input
from penstock.flow.model import Document, RenderedBool
from penstock.flow.problems import Location
from penstock.flow.task import AnyTask, Task
from penstock.resources.execution import ResumeRequest, State, TaskRun

Behavior = Literal["CONTINUE", "WARN", "FAIL", "SUCCEED", "CANCEL", "KILL"]


class Decisions(Document):
    """What the two decisions are called."""

    approve: str = "Approve"
    """What approving is called."""
    deny: str = "Deny"
    """What denying is called."""


class Approval(Holding):
    """Waits for a decision, runs the tasks of that decision, and goes on or ends as it says.

    Outputs: `decision` (APPROVED, DENIED or EXPIRED), `auto`, `by`, `comment`, `inputs`.

    ```yaml
    id: release
    type: io.kestra.plugin.core.flow.Approval
    timeout: P2D
    denyBehavior: FAIL
    onApprove:
      - id: tell
        type: io.kestra.plugin.core.log.Log
        message: approved
    ```
    """

    answers: ClassVar[str] = "inputs"

    inputs: list[Input] = []
    """What is asked of the person who decides; seen as the output `inputs`."""
    decisions: Decisions = Decisions()
    """What the two decisions are called."""
    comment_required: Literal["NEVER", "ALWAYS", "ON_APPROVE", "ON_DENY"] = "NEVER"
    """When the person has to give a comment."""
    auto_approve: RenderedBool = False
    """Whether it is approved at once, without waiting. Rendered."""
    approve_behavior: Behavior = "CONTINUE"
    """What follows when it was approved."""
    deny_behavior: Behavior = "CANCEL"
    """What follows when it was denied."""
    expire_behavior: Behavior = "CANCEL"
    """What follows when nobody decided before its `timeout`."""
    on_wait: list[AnyTask] = []
    """Runs while it waits, to tell somebody."""
    on_approve: list[AnyTask] = []
    """Runs when it was approved."""
    on_deny: list[AnyTask] = []
    """Runs when it was denied."""

    @property
    def asked(self) -> list[Input]:
        return self.inputs

    def open(self, evaluator: Evaluator) -> Opening:
        if holds(self.auto_approve, evaluator):
            return Opening(outputs={"decision": "APPROVED", "auto": True, self.answers: {}})
        return Opening(outputs={"auto": False}, hold=hold(evaluator, self.timeout))

    def plan(self, run: TaskRun) -> Plan:
        outputs = run.outputs or {}
        waited: Sequence[Task] = [] if outputs.get("auto") else self.on_wait
        after = {"APPROVED": self.on_approve, "DENIED": self.on_deny}
        tasks = [*waited, *after.get(str(outputs.get("decision")), [])]
        return Plan([Lane(tuple(Child(task) for task in enabled(tasks)))])

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("onWait",), self.on_wait
        yield ("onApprove",), self.on_approve
        yield ("onDeny",), self.on_deny

    def expire(self, run: TaskRun, now: datetime) -> Going:
        return Going(outputs={**(run.outputs or {}), "decision": "EXPIRED"})

    def resumed(self, run: TaskRun, asked: ResumeRequest, inputs: dict[str, Any]) -> Going:
        required = {"ALWAYS": True, "ON_APPROVE": asked.approve, "ON_DENY": not asked.approve}
        if required.get(self.comment_required, False) and not asked.comment:
            raise FlowableError("a `comment` has to be given")
        decided = {
            "decision": "APPROVED" if asked.approve else "DENIED",
            "by": asked.by,
            "comment": asked.comment,
            self.answers: inputs,
        }
        return Going(outputs={**(run.outputs or {}), **decided})

    def proceed(self, run: TaskRun, evaluator: Evaluator, now: datetime) -> Going:
        decision = str((run.outputs or {}).get("decision"))
        behavior = {
            "APPROVED": self.approve_behavior,
            "DENIED": self.deny_behavior,
            "EXPIRED": self.expire_behavior,
        }[decision]
        message = f"the approval was {decision}" if decision != "APPROVED" else None
        match behavior:
            case "WARN":
                return Going(verdict=State.WARNING, message=message)
            case "FAIL":
                return Going(verdict=State.FAILED, message=message)
            case "SUCCEED":
                return Going(exit=State.SUCCESS, message=message)
            case "CANCEL":
                return Going(exit=State.CANCELLED, message=message)
            case "KILL":
                return Going(exit=State.KILLED, message=message)
        return Going()
