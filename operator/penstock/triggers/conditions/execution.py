"""Conditions on the execution that a Flow trigger saw, and on the flow that has the trigger."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from penstock.flow.document import Labels
from penstock.triggers.conditions.model import Condition, upstream_of
from penstock.triggers.evaluation import Context, FlowName
from penstock.triggers.states import StateName


def _permitted(state: str, among: list[StateName], except_for: list[StateName]) -> bool:
    return (not among or state in among) and state not in except_for


class ExecutionFlow(Condition):
    """The execution is one of this flow."""

    name: ClassVar[str] = "ExecutionFlow"

    namespace: str
    flow_id: str

    def holds(self, context: Context) -> bool:
        return upstream_of(self, context).flow == FlowName(self.namespace, self.flow_id)


class ExecutionNamespace(Condition):
    """The execution's flow is in this namespace."""

    name: ClassVar[str] = "ExecutionNamespace"

    namespace: str
    comparison: Literal["EQUALS", "PREFIX", "SUFFIX"] | None = None
    """How the namespaces are compared: as plain text, so `a.b` is a prefix of `a.bc`."""
    prefix: bool = False
    """The older way to say `comparison: PREFIX`."""

    def holds(self, context: Context) -> bool:
        namespace = upstream_of(self, context).namespace
        comparison = self.comparison or ("PREFIX" if self.prefix else "EQUALS")
        if comparison == "PREFIX":
            return namespace.startswith(self.namespace)
        if comparison == "SUFFIX":
            return namespace.endswith(self.namespace)
        return namespace == self.namespace


class ExecutionStatus(Condition):
    """The execution is in one of some states, and in none of others."""

    name: ClassVar[str] = "ExecutionStatus"

    in_: Annotated[list[StateName], Field(alias="in")] = []
    not_in: list[StateName] = []

    def holds(self, context: Context) -> bool:
        return _permitted(upstream_of(self, context).state, self.in_, self.not_in)


class ExecutionLabels(Condition):
    """The execution has all of some labels, with their values."""

    name: ClassVar[str] = "ExecutionLabels"

    labels: Labels

    def holds(self, context: Context) -> bool:
        return self.labels.items() <= dict(upstream_of(self, context).labels).items()


class HasRetryAttempt(Condition):
    """One of its tasks was tried more than once, with an attempt in one of these states."""

    name: ClassVar[str] = "HasRetryAttempt"

    in_: Annotated[list[StateName], Field(alias="in")] = []
    not_in: list[StateName] = []

    def holds(self, context: Context) -> bool:
        return any(
            _permitted(state, self.in_, self.not_in)
            for states in upstream_of(self, context).attempts
            if len(states) > 1
            for state in states
        )


class FlowCondition(Condition):
    """The flow that has the trigger is this one."""

    name: ClassVar[str] = "FlowCondition"
    aliases = ("io.kestra.core.models.conditions.types.FlowCondition",)
    replaced_by: ClassVar[str | None] = "it says nothing of the execution; use `ExecutionFlow`"

    namespace: str
    flow_id: str

    def holds(self, context: Context) -> bool:
        return context.flow == FlowName(self.namespace, self.flow_id)


class FlowNamespaceCondition(Condition):
    """The flow that has the trigger is in this namespace."""

    name: ClassVar[str] = "FlowNamespaceCondition"
    aliases = ("io.kestra.core.models.conditions.types.FlowNamespaceCondition",)
    replaced_by: ClassVar[str | None] = "it says nothing of the execution; use `ExecutionNamespace`"

    namespace: str
    prefix: bool = False

    def holds(self, context: Context) -> bool:
        if self.prefix:
            return context.flow.namespace.startswith(self.namespace)
        return context.flow.namespace == self.namespace
