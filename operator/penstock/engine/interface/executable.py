"""Tasks that are done by other executions: what one asks for, and what it makes of their end.

Such a task does not create anything. :mod:`penstock.engine.decision.children` asks the world for
the executions under names that are the same whenever the same attempt is decided, and tells the
task what became of them. A new one is one file in :mod:`penstock.engine.kinds.executables`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import TypeAdapter, ValidationError

from penstock.engine.interface.actions import Observation
from penstock.engine.interface.flowable import Evaluator, FlowableError, HandingOn
from penstock.flow.document import Labels
from penstock.flow.model import Document, RenderedBool
from penstock.flow.task import Task
from penstock.resources.execution import ExecutionStatus, State, TaskRun

RestartBehavior = Literal["RETRY_FAILED", "NEW_EXECUTION"]

_DATE: TypeAdapter[datetime] = TypeAdapter(datetime)


@dataclass(frozen=True)
class ChildRequest:
    """One execution that is asked for."""

    namespace: str
    flow_id: str
    revision: int | None
    inputs: dict[str, Any]
    labels: dict[str, str]
    inherit_labels: bool
    schedule_date: datetime | None


class ChildFlow(Document):
    """Which flow is run, and with what."""

    namespace: str
    """The namespace of the flow that is run. Rendered."""
    flow_id: str
    """The id of the flow that is run. Rendered."""
    revision: int | None = None
    """The revision of the flow; the newest where it is not given."""
    inputs: dict[str, Any] = {}
    """Values for its inputs. Rendered."""
    labels: Labels = {}
    """Labels for its execution. Rendered."""
    inherit_labels: RenderedBool = False
    """Whether its execution gets the labels of this one as well."""
    wait: RenderedBool = True
    """Whether the task ends with the execution that it made, or at once."""
    transmit_failed: RenderedBool = True
    """Whether the task ends as the execution that it waited for did, or with SUCCESS."""
    schedule_date: str | None = None
    """When the execution is to start; at once where it is not given. Rendered."""
    restart_behavior: RestartBehavior = "RETRY_FAILED"
    """What follows when the parent is restarted: the failed child is, or there is a new one."""

    def request(self, evaluator: HandingOn) -> ChildRequest:
        """Say which execution is to be made. Raises ``ExpressionError`` or ``FlowableError``."""
        labels = {
            evaluator.render(key) or "": evaluator.render(value) or ""
            for key, value in self.labels.items()
        }
        if reserved := next((key for key in labels if key.startswith("system.")), None):
            raise FlowableError(
                f"System labels can only be set by Kestra itself, offending label: {reserved}"
            )
        return ChildRequest(
            namespace=evaluator.render(self.namespace) or "",
            flow_id=evaluator.render(self.flow_id) or "",
            revision=self.revision,
            inputs=evaluator.inputs(self.inputs),
            labels=labels,
            inherit_labels=holds(self.inherit_labels, evaluator),
            schedule_date=_date(evaluator.render(self.schedule_date)),
        )


class ChildrenSeen(Protocol):
    """The executions of one attempt."""

    def evaluator(self) -> Evaluator:
        """Give the expressions of the task."""

    def of_child(self, status: ExecutionStatus) -> Evaluator:
        """Give expressions that see the inputs and outputs of a child."""


Beside = Callable[[str], TaskRun | None]
"""The task run of another task of the same parent, by the task's id."""


class ExecutableTask(Task):
    """A task that is done by one or several executions."""

    def count(self, beside: Beside) -> int:
        """Say how many executions do the task."""
        return 1

    def own_variables(self, beside: Beside, index: int) -> dict[str, Any]:
        """Give the variables that the expressions of one request see beside the usual ones."""
        return {}

    def request(self, evaluator: HandingOn) -> ChildRequest:
        """Say which execution is to be made. Raises ``ExpressionError`` or ``FlowableError``."""
        raise NotImplementedError

    def restarts_children(self) -> bool:
        """Whether a restart of the parent restarts the execution that failed."""
        return False

    def conclude(
        self,
        names: Sequence[str],
        statuses: Sequence[ExecutionStatus | None],
        seen: ChildrenSeen,
    ) -> Observation | None:
        """What became of the attempt by what became of its executions (None: not there yet);
        None while it goes on."""
        raise NotImplementedError


def holds(flag: bool | str, evaluator: Evaluator) -> bool:
    """Whether a flag holds, which may be an expression."""
    from penstock.expressions import is_truthy

    return flag if isinstance(flag, bool) else is_truthy(evaluator.evaluate(flag))


def transmitted(state: State) -> State:
    """The end that a task takes over from the execution that it waited for."""
    if state in (State.FAILED, State.KILLED, State.WARNING):
        return state
    return State.FAILED if state in (State.CANCELLED, State.RETRIED) else State.SUCCESS


def _date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        # Such as 2026-01-02T03:04:05+01:00[Europe/Paris], as Java writes it.
        date = _DATE.validate_python(text.strip().partition("[")[0])
    except ValidationError:
        raise FlowableError(f"`scheduleDate` must be a date, but rendered to `{text}`") from None
    return date if date.tzinfo is not None else date.astimezone()
