"""`preconditions` of Kestra 1.x: what must have happened within a window of time."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from penstock.flow.constraints import compiled
from penstock.flow.document import Labels, LabelValue
from penstock.flow.model import Document
from penstock.flow.task import TASK_ID_PATTERN
from penstock.triggers.evaluation import ConditionError, Context, Upstream
from penstock.triggers.states import StateName
from penstock.triggers.windows import TimeWindow

_WITH_VALUE = ("EQUAL_TO", "NOT_EQUAL_TO", "STARTS_WITH", "ENDS_WITH", "REGEX", "CONTAINS")
_WITH_VALUES = ("IN", "NOT_IN")
_PATTERN_SECONDS = 1.0

FilterType = Literal[
    "EQUAL_TO", "NOT_EQUAL_TO", "IN", "NOT_IN", "IS_TRUE", "IS_FALSE", "IS_NULL", "IS_NOT_NULL",
    "STARTS_WITH", "ENDS_WITH", "REGEX", "CONTAINS",
]  # fmt: skip


class UpstreamFlow(Document):
    """An execution of a flow, or of any flow of a namespace."""

    namespace: str
    """The namespace of the flow."""
    flow_id: str | None = None
    """The id of the flow; any of the namespace where it is not given."""
    states: list[StateName] = []
    """The states that count; any to which the trigger listens where none is given."""
    labels: Labels = {}
    """Labels that the execution must have."""

    def holds(self, context: Context) -> bool:
        upstream = context.upstream
        return (
            upstream is not None
            and upstream.namespace == self.namespace
            and self.flow_id in (None, upstream.flow_id)
            and (not self.states or upstream.state in self.states)
            and self.labels.items() <= dict(upstream.labels).items()
        )


class Filter(Document):
    """One question about the execution."""

    field: Literal["FLOW_ID", "NAMESPACE", "STATE", "EXPRESSION"]
    """What is looked at."""
    type: FilterType
    """How it is compared."""
    value: LabelValue | None = None
    """What the field is compared with; for EXPRESSION the expression itself."""
    values: list[LabelValue] | None = None
    """What the field is compared with by IN and NOT_IN."""

    @model_validator(mode="after")
    def _of_its_type(self) -> Self:
        if self.field == "EXPRESSION":
            self._check_expression()
        elif self.type in _WITH_VALUE:
            _need(self.value, "value", self.type)
        else:
            _need_none(self.value, "value", self.type)
        if self.type in _WITH_VALUES:
            _need(self.values, "values", self.type)
        else:
            _need_none(self.values, "values", self.type)
        if self.type == "REGEX":
            compiled(self.value or "")
        return self

    def _check_expression(self) -> None:
        _need(self.value, "value", self.type)
        if self.type in _WITH_VALUE:
            raise ValueError(
                f"a filter on EXPRESSION has nothing to compare with for type {self.type}: compare "
                "in the expression, and use IS_TRUE"
            )

    def holds(self, context: Context) -> bool:
        """Whether the answer is yes. Raises ``ConditionError``."""
        assert context.upstream is not None
        found = self._found(context, context.upstream)
        text = "" if found is None else str(found)
        match self.type:
            case "EQUAL_TO":
                return text == self.value
            case "NOT_EQUAL_TO":
                return text != self.value
            case "IN":
                return text in (self.values or ())
            case "NOT_IN":
                return text not in (self.values or ())
            case "IS_TRUE":
                return text.strip().lower() == "true"
            case "IS_FALSE":
                return text.strip().lower() == "false"
            case "IS_NULL":
                return found is None
            case "IS_NOT_NULL":
                return found is not None
            case "STARTS_WITH":
                return text.startswith(self.value or "")
            case "ENDS_WITH":
                return text.endswith(self.value or "")
            case "CONTAINS":
                return (self.value or "") in text
            case "REGEX":
                return _matches(self.value or "", text)

    def _found(self, context: Context, upstream: Upstream) -> Any:
        if self.field == "EXPRESSION":
            return context.value(self.value or "")
        fields = {
            "FLOW_ID": upstream.flow_id,
            "NAMESPACE": upstream.namespace,
            "STATE": upstream.state,
        }
        return fields[self.field]


def _need(value: object, name: str, kind: str) -> None:
    if value is None:
        raise ValueError(f"`{name}` cannot be null for type {kind}")


def _need_none(value: object, name: str, kind: str) -> None:
    if value is not None:
        raise ValueError(f"`{name}` must be null for type {kind}")


def _matches(pattern: str, text: str) -> bool:
    try:
        return compiled(pattern).fullmatch(text, timeout=_PATTERN_SECONDS) is not None
    except TimeoutError:
        raise ConditionError(f"matching the pattern `{pattern}` takes too long") from None


class Where(Document):
    """An execution that all filters, or one of them, let through."""

    id: Annotated[str, Field(pattern=TASK_ID_PATTERN)]
    """The name of the entry."""
    operand: Literal["AND", "OR"] = "AND"
    """Whether all filters must let it through, or one."""
    filters: Annotated[list[Filter], Field(min_length=1)]
    """The questions."""

    def holds(self, context: Context) -> bool:
        answers = (item.holds(context) for item in self.filters)
        return all(answers) if self.operand == "AND" else any(answers)


class Preconditions(Document):
    """Each of `flows` and of `where` must be met within the window, by whatever execution."""

    id: Annotated[str, Field(pattern=TASK_ID_PATTERN)]
    """The name of the preconditions."""
    description: str | None = None
    """What they are for."""
    time_window: TimeWindow = TimeWindow()
    """Where nothing else is said, a day from midnight to midnight."""
    reset_on_success: bool = True
    """Whether all of them have to be met anew after the trigger fired."""
    flows: list[UpstreamFlow] = []
    """Executions by their flow."""
    where: list[Where] = []
    """Executions by any of their properties."""
