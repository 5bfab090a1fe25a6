"""Which executions, logs and keys a task means that looks at those of others.

Whoever drives the engine says what there is; what is meant of it is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from penstock.resources.execution import State


@dataclass(frozen=True)
class ExecutionFacts:
    """What is known of one execution."""

    name: str
    namespace: str
    """The namespace of its flow."""
    flow_id: str
    state: State
    start_date: datetime
    """When it was made, as long as it has not begun."""
    is_over: bool
    """Whether nothing of it runs any more."""
    made_by: str | None = None
    """The execution of which it is a part."""
    relies_on: tuple[str, ...] = ()
    """The executions that started it, or that it does again."""


@dataclass(frozen=True)
class Selection:
    """Executions by flow, time of their start and state."""

    namespace: str | None = None
    """The namespace of the flow; where no flow is named, those below it are meant as well."""
    flow_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    states: frozenset[State] = frozenset()
    """All where it is empty."""

    def holds(self, facts: ExecutionFacts) -> bool:
        """Whether the selection means an execution."""
        return (
            self.is_of_flow(facts)
            and (self.start is None or self.start <= facts.start_date)
            and (self.end is None or facts.start_date <= self.end)
            and (not self.states or facts.state in self.states)
        )

    def is_of_flow(self, facts: ExecutionFacts) -> bool:
        """Whether an execution is one of a flow that the selection means."""
        if self.flow_id is not None:
            return (self.namespace, self.flow_id) == (facts.namespace, facts.flow_id)
        return self.namespace is None or is_within(facts.namespace, self.namespace)


def is_within(namespace: str, other: str) -> bool:
    """Whether a namespace is the other one or below it."""
    return namespace == other or namespace.startswith(f"{other}.")


@dataclass(frozen=True)
class CountExecutions:
    """Let executions be counted, flow by flow."""

    flows: tuple[tuple[str, str], ...]
    """Namespace and id of flows, which are counted also where they have no execution."""
    namespaces: tuple[str, ...]
    among: Selection
    keeps: Callable[[int], bool] = field(compare=False)
    """Whether a flow with so many is told of. Raises ``ExpressionError``."""

    def outputs(self, known: Iterable[ExecutionFacts]) -> Mapping[str, Any]:
        """The outputs of the task, with all executions that there are."""
        counts = dict.fromkeys(self.flows, 0)
        found: dict[tuple[str, str], int] = {}
        for facts in filter(self.among.holds, known):
            flow = (facts.namespace, facts.flow_id)
            if flow in counts:
                counts[flow] += 1
            elif any(is_within(facts.namespace, name) for name in self.namespaces):
                found[flow] = found.get(flow, 0) + 1
        rows = [
            {"namespace": namespace, "flowId": flow_id, "count": count}
            for (namespace, flow_id), count in [*counts.items(), *sorted(found.items())]
            if self.keeps(count)
        ]
        return {"results": rows, "total": sum(int(str(row["count"])) for row in rows)}


@dataclass(frozen=True)
class PurgeExecutions:
    """Let executions be gone, or what is kept of them."""

    among: Selection
    executions: bool = True
    logs: bool = True
    metrics: bool = True
    """Whether those are counted: metrics stand in an execution and go with it alone."""
    files: bool = True

    def meant(self, known: Iterable[ExecutionFacts], own: str) -> list[str]:
        """The names of those that may go: of which nothing runs, nor of the one that made them, and
        on which nothing relies that runs, such as the one whose task this is."""
        there = {facts.name: facts for facts in known}
        running = {own, *(name for name, facts in there.items() if not facts.is_over)}
        needed = _with_what_they_rely_on(running, there)
        return [
            name
            for name, facts in there.items()
            if name not in needed and facts.made_by not in running and self.among.holds(facts)
        ]


def _with_what_they_rely_on(names: set[str], there: Mapping[str, ExecutionFacts]) -> set[str]:
    needed, pending = set(names), list(names)
    while pending:
        facts = there.get(pending.pop())
        if facts is not None:
            fresh = {name for name in (facts.made_by, *facts.relies_on) if name} - needed
            needed |= fresh
            pending += fresh
    return needed


@dataclass(frozen=True)
class PurgeLogs:
    """Let lines of logs be gone, by the time at which they were printed."""

    of: Selection
    """Whose logs: by flow alone."""
    execution: str | None
    start: datetime | None
    end: datetime
    levels: frozenset[str] = frozenset()
    """All where it is empty."""
    wanted: bool = True
    """Whether any are."""

    def means(self, facts: ExecutionFacts) -> bool:
        """Whether the purge looks through the logs of an execution."""
        of_execution = self.execution in (None, facts.name)
        return self.wanted and of_execution and self.of.is_of_flow(facts)


@dataclass(frozen=True)
class PurgePairs:
    """Let keys be gone. Those whose time is over are gone by themselves."""

    namespaces: tuple[str, ...]
    """All where none is named."""
    below: bool
    """Whether namespaces below those are meant as well."""
    namespace_pattern: str | None
    key_pattern: str | None
    expired_only: bool

    def means(self, namespace: str, key: str) -> bool:
        """Whether the purge deletes a key."""
        return self._means_namespace(namespace) and (
            self.key_pattern is None or fnmatchcase(key, self.key_pattern)
        )

    def _means_namespace(self, namespace: str) -> bool:
        if self.namespace_pattern is not None:
            return fnmatchcase(namespace, self.namespace_pattern)
        if not self.namespaces:
            return True
        return any(
            is_within(namespace, name) if self.below else namespace == name
            for name in self.namespaces
        )
