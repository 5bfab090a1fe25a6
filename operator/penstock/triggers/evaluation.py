"""What a decision is made upon: expressions, their variables, and the execution that was seen.

A decision renders with the language that its caller hands in, which has the caller's clock, secrets
and functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.expressions import ExpressionError, Host, is_truthy
from penstock.resources.execution import ExecutionStatus, Transition

if TYPE_CHECKING:
    from penstock.expressions import Expressions


class ConditionError(Exception):
    """A condition can't be told. The text is for the flow's author."""


@dataclass(frozen=True)
class FlowName:
    """A flow by its dotted namespace and its id."""

    namespace: str
    id: str


@dataclass(frozen=True)
class Upstream:
    """An execution that reached a state: what Flow triggers listen to."""

    id: str
    namespace: str
    flow_id: str
    state: str
    date: datetime
    """When it reached the state, with a zone."""
    revision: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Any] | None = None
    """The outputs of its flow; None where there are none."""
    task_outputs: Mapping[str, Any] = field(default_factory=dict)
    """The outputs of its tasks, as `outputs.…` of its own expressions."""
    attempts: Sequence[Sequence[str]] = ()
    """The states of the attempts of each task run."""
    kubernetes_namespace: str | None = None
    """Where it is, if that is another Kubernetes namespace than that of the trigger."""
    outputs_withheld: bool = False
    """Whether it may have outputs that are not for the trigger."""

    @classmethod
    def of(
        cls,
        name: str,
        flow: FlowName,
        status: ExecutionStatus,
        step: Transition,
        task_outputs: Mapping[str, Any],
    ) -> Upstream:
        """The event that an execution came into a state, from all that is known of it."""
        return cls(
            id=name,
            namespace=flow.namespace,
            flow_id=flow.id,
            state=str(step.state),
            date=step.date,
            revision=1 if status.flow is None else status.flow.revision,
            labels=status.labels,
            outputs=status.outputs,
            task_outputs=task_outputs,
            attempts=[[str(item.state) for item in run.attempts] for run in status.task_runs],
        )

    @property
    def transition(self) -> str:
        """Tells this transition from every other one of any execution, whenever it is looked at."""
        return transition(self.id, self.state, self.date, self.kubernetes_namespace)

    @property
    def flow(self) -> FlowName:
        return FlowName(self.namespace, self.flow_id)

    @property
    def has_retry_attempt(self) -> bool:
        """Whether a task run was tried more than once."""
        return any(len(states) > 1 for states in self.attempts)


def transition(
    execution: str, state: str, date: datetime, kubernetes_namespace: str | None = None
) -> str:
    """What tells that an execution came into a state from every other such event.

    By its date, and not by its place: of a very long history the middle is left out.
    """
    told = f"{execution}/{state}/{date.astimezone(UTC).isoformat()}"
    return told if kubernetes_namespace is None else f"{kubernetes_namespace}/{told}"


@dataclass(frozen=True)
class Language:
    """Expressions, with the functions and the clock of whoever asks for a decision."""

    expressions: Expressions
    host: Callable[[datetime | None], Host]
    """The host for what an execution is given at a date, which has to be the same whenever it is
    rendered; with None the host for conditions, which are asked now."""

    def evaluate(self, tree: Any, variables: Mapping[str, Any], at: datetime | None = None) -> Any:
        """Every text in a tree; a single expression keeps its type. Raises ``ExpressionError``."""
        return self.expressions.evaluate_tree(tree, variables, self.host(at))

    def render(self, tree: Any, variables: Mapping[str, Any], at: datetime | None = None) -> Any:
        """Every text in a tree, each as text. Raises ``ExpressionError``."""
        return self.expressions.render_tree(tree, variables, self.host(at))


@dataclass(frozen=True)
class Context:
    """The surroundings of one decision."""

    language: Language
    variables: Mapping[str, Any]
    """What expressions see: `flow`, `vars`, `envs`, `globals`; the decision adds `trigger`."""
    flow: FlowName
    """The flow that has the trigger."""
    upstream: Upstream | None = None
    """The execution that was seen, for a Flow trigger."""
    date: datetime | None = None
    """The due time in question, for a schedule."""

    def seeing(self, **variables: Any) -> Context:
        """The context with more variables."""
        return replace(self, variables={**self.variables, **variables})

    def value(self, template: str) -> Any:
        """A rendered property. Raises :class:`ConditionError`."""
        try:
            return self.language.evaluate(template, self.variables)
        except ExpressionError as error:
            raise ConditionError(str(error)) from None

    def when(self, condition: str | bool | None) -> bool:
        """Kestra 2.0's `when`, by the rule of truth that every other `when` has."""
        if isinstance(condition, str):
            return is_truthy(self.value(condition))
        return condition is not False
