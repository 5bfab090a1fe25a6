"""The properties of a Flow trigger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from penstock.flow.document import Labels
from penstock.flow.model import Document
from penstock.flow.problems import Location
from penstock.triggers.conditions.execution import ExecutionFlow
from penstock.triggers.conditions.logic import MultipleCondition
from penstock.triggers.evaluation import Context, FlowName
from penstock.triggers.flow_trigger.preconditions import Preconditions, UpstreamFlow
from penstock.triggers.flow_trigger.views import seen_by_when
from penstock.triggers.properties import TriggerProperties, UserLabels, When
from penstock.triggers.states import DEPENDED_ON, LISTENED, StateName
from penstock.triggers.windows import Window

KubernetesNamespace = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
]


class Dependency(Document):
    """One entry of `dependsOn`: an execution for which the trigger waits."""

    flow_id: str | None = None
    """The id of the flow; any where it is not given."""
    namespace: str | None = None
    """Exactly this namespace; for a prefix use `when`."""
    states: list[StateName] = list(DEPENDED_ON)
    """The states that count."""
    labels: Labels = {}
    """Labels that the execution must have."""
    when: When | None = None
    """Sees `namespace`, `flowId`, `state`, `labels`, `outputs`, `hasRetryAttempt`."""

    def holds(self, context: Context) -> bool:
        upstream = context.upstream
        return (
            upstream is not None
            and self.namespace in (None, upstream.namespace)
            and self.flow_id in (None, upstream.flow_id)
            and upstream.state in self.states
            and self.labels.items() <= dict(upstream.labels).items()
            and seen_by_when(context).when(self.when)
        )


class OnMiss(Document):
    """What becomes of a window that ended without the trigger having fired."""

    behavior: Literal["FAIL"] = "FAIL"
    """FAIL makes an execution that is FAILED."""
    labels: UserLabels = {}
    """Labels of that execution."""


class FlowTrigger(TriggerProperties):
    """Starts an execution when executions of other flows have ended.

    ```yaml
    id: after
    type: io.kestra.plugin.core.trigger.Flow
    dependsOn:
      - namespace: company.team
        flowId: load
    ```
    """

    inputs: dict[str, Any] = {}
    """Inputs of the executions; expressions see the execution that was waited for."""
    states: list[StateName] | None = None
    """The states to listen to; every end and PAUSED where nothing is said."""
    kubernetes_namespaces: Annotated[list[KubernetesNamespace], Field(max_length=20)] = []
    """The Kubernetes namespaces to whose executions it listens; its own where none is named.
    Flows of another one have to allow it. Penstock's own."""
    preconditions: Preconditions | None = None
    """What must have happened within a window of time (Kestra 1.x)."""
    depends_on: list[Dependency] = []
    """The executions to wait for (Kestra 2.0)."""
    mode: Literal["ALL", "ANY", "AT_LEAST"] = "ALL"
    """How many entries of `dependsOn` must be met."""
    min_satisfied: Annotated[int, Field(ge=1)] | None = None
    """The number for AT_LEAST."""
    window: Window | None = None
    """The window of time for `dependsOn`."""
    on_miss: OnMiss | None = None
    """What becomes of a window that ended without the trigger having fired."""

    @field_validator("min_satisfied")
    @classmethod
    def _within_bounds(cls, value: int | None, info: ValidationInfo) -> int | None:
        entries = len(info.data.get("depends_on", ()))
        if value is not None and info.data.get("mode") == "AT_LEAST" and value > entries:
            raise ValueError(f"`minSatisfied` is {value}, but `dependsOn` has {entries} entries")
        return value

    @model_validator(mode="after")
    def _number_for_at_least(self) -> Self:
        if self.mode == "AT_LEAST" and self.min_satisfied is None:
            raise ValueError("`mode: AT_LEAST` needs `minSatisfied`")
        return self

    @property
    def listened(self) -> tuple[str, ...] | list[StateName]:
        """The states to listen to. Entries of `dependsOn` have their own."""
        if self.states is not None:
            return self.states
        if self.depends_on:
            return tuple({state for entry in self.depends_on for state in entry.states})
        return LISTENED

    @property
    def multiple_conditions(self) -> list[MultipleCondition]:
        return [item for item in self.conditions if isinstance(item, MultipleCondition)]

    def only_flows(self) -> frozenset[FlowName] | None:
        """The flows to which alone it listens; None where executions of others may concern it."""
        named = [
            FlowName(item.namespace, item.flow_id)
            for item in self.conditions
            if isinstance(item, ExecutionFlow)
        ]
        if named:
            return frozenset(named)
        wanted = self.preconditions
        entries: list[UpstreamFlow | Dependency] = [*self.depends_on]
        if wanted is not None and not wanted.where:
            entries += wanted.flows
        if not entries or (wanted is not None and wanted.where):
            return None
        names = [(item.namespace, item.flow_id) for item in entries]
        found = [FlowName(where, id) for where, id in names if where and id]
        return frozenset(found) if len(found) == len(names) else None

    @property
    def unconditional(self) -> bool:
        """Whether it fires for the executions of every flow."""
        waits = self.preconditions is not None and (
            self.preconditions.flows or self.preconditions.where
        )
        return not (self.conditions or waits or self.depends_on or self.when is not None)

    def without_effect(self) -> Iterator[tuple[Location, str]]:
        """Properties that say nothing where they stand, each with the reason."""
        if not self.depends_on:
            for name, given in (
                ("mode", self.mode != "ALL"),
                ("window", self.window is not None),
                ("onMiss", self.on_miss is not None),
            ):
                if given:
                    yield (name,), f"`{name}` has no effect without `dependsOn`"
        elif self.on_miss is not None and (self.window is None or self.window.lookback is not None):
            yield ("onMiss",), "`onMiss` has no effect without a `window` that ends"
        if self.min_satisfied is not None and self.mode != "AT_LEAST":
            yield ("minSatisfied",), "`minSatisfied` has no effect without `mode: AT_LEAST`"
