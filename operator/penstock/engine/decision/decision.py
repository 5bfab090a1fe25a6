"""One decision: everything that is looked at and written while the engine decides once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from penstock.engine.decision.advancing import Advancing
from penstock.engine.decision.attempts import Attempts
from penstock.engine.decision.child_requests import ChildRequests
from penstock.engine.decision.children import ChildExecutions
from penstock.engine.decision.execution_retry import ExecutionRetries
from penstock.engine.decision.going_on import GoingOn
from penstock.engine.decision.leaving import Leaving
from penstock.engine.decision.settling import Settling
from penstock.engine.decision.starting import Starting
from penstock.engine.interface.actions import (
    Action,
    AttemptKey,
    Children,
    KeepSecrets,
    Observation,
    Report,
    StartExecution,
)
from penstock.engine.interface.command_task import CommandTask
from penstock.engine.interface.executable import ExecutableTask
from penstock.engine.interface.flowable import Flowable
from penstock.engine.interface.identity import Identity
from penstock.engine.interface.limits import Limits
from penstock.engine.kinds.flowables.working_directory import WorkingDirectory
from penstock.engine.rendering.evaluation import Evaluation, HostFunctions
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.tree import FlowTree
from penstock.expressions import Expressions
from penstock.flow.task import RunnableTask, Task
from penstock.resources.execution import ExecutionStatus, TaskRun

Observations = Mapping[AttemptKey, Observation]

_WITH_ATTEMPTS = (RunnableTask, ExecutableTask, CommandTask, WorkingDirectory)


@dataclass(frozen=True)
class CompiledFlow:
    """What all decisions on one revision of a flow share."""

    tree: FlowTree
    expressions: Expressions
    limits: Limits
    functions: HostFunctions

    def names_secrets(self, identity: Identity) -> bool:
        """Whether secrets are known by their names only, and read in the pods."""
        return "secret" not in self.functions(identity, self.tree.flow)


class Decision:
    """Holds the parts that decide together, each with its own duty."""

    def __init__(
        self,
        compiled: CompiledFlow,
        identity: Identity,
        status: ExecutionStatus,
        children: Children,
        now: datetime,
        run_index: TaskRunIndex | None = None,
    ) -> None:
        flow = compiled.tree.flow
        self.compiled = compiled
        self.identity = identity
        self.status = status
        self.now = now
        self.known_children = children
        self.run_index = (
            TaskRunIndex(status.task_runs, compiled.tree.traits) if run_index is None else run_index
        )
        self.changes = ExecutionChanges(flow, status)
        self.evaluation = Evaluation(
            compiled.expressions,
            flow,
            identity,
            status,
            self.run_index,
            self.changes,
            compiled.functions,
        )
        requests = ChildRequests(flow, identity, self.evaluation, self.changes, compiled.limits)
        self.children = ChildExecutions(
            identity, self.run_index, self.evaluation, requests, compiled.limits, children, now
        )
        self.retries = ExecutionRetries(
            flow, identity, status, self.evaluation, self.changes, children, now
        )
        self.attempts = Attempts(
            compiled.tree,
            self.run_index,
            self.evaluation,
            self.children,
            self.retries,
            compiled.limits,
            now,
        )
        self.leaving = Leaving(
            compiled.tree, self.run_index, self.attempts, self.children, self.retries, self.changes
        )
        self.settling = self._settling()
        self.reports: list[Report] = []
        self.names_secrets = compiled.names_secrets(identity)
        """Whether secrets are known by their names only."""
        self.kept: dict[str, dict[str, str]] = {}
        """What Secrets of the execution's own are to hold, by their names."""
        self.started: list[StartExecution] = []
        """Executions that people asked for."""

    def _settling(self) -> Settling:
        compiled, run_index, attempts = self.compiled, self.run_index, self.attempts
        evaluation, changes, now = self.evaluation, self.changes, self.now
        starting = Starting(
            run_index, attempts, evaluation, changes, compiled.limits, now, self._settle_flowable
        )
        advancing = Advancing(
            compiled.tree, self.identity, run_index, attempts, evaluation, changes, starting
        )
        going_on = GoingOn(run_index, attempts, evaluation, changes, now)
        return Settling(
            compiled.tree, run_index, changes, starting, advancing, going_on, self.leaving
        )

    def _settle_flowable(self, run: TaskRun, task: Flowable) -> None:
        """Settle a flowable at once when it opens."""
        self.settling.settle_flowable(run, task)

    def task_of(self, run: TaskRun) -> Task:
        return self.compiled.tree[run.task_id].task

    def observe(self, observations: Observations) -> None:
        """Take in all that happened; then ask again for that of which nothing was seen."""
        for run in self.run_index.found({run_id for run_id, _ in observations}):
            task = self.task_of(run)
            if run.state.terminated or not run.attempts or not isinstance(task, _WITH_ATTEMPTS):
                continue
            last = run.attempts[-1]
            seen = observations.get((run.id, last.number))
            if seen is not None and not last.state.terminated:
                self.attempts.observe(run, task, seen)
        for run in self.run_index.unseen():
            if (run.id, run.attempts[-1].number) not in observations:
                self.attempts.request(run, self.task_of(run))
        for run in self.run_index.executing():
            self.attempts.request(run, self.task_of(run))

    def actions(self) -> tuple[Action, ...]:
        """Give all actions that are asked for, in the order in which they are to be taken."""
        wanted = [action for action in self.attempts.requested if self._is_wanted(action.key)]
        retry = [
            action
            for action in (self.retries.requested, self.retries.cancelled)
            if action is not None
        ]
        return (
            *(KeepSecrets(name, values) for name, values in self.kept.items()),
            *self.leaving.stops,
            *self.children.actions,
            *retry,
            *self.started,
            *wanted,
        )

    def all_reports(self) -> tuple[Report, ...]:
        return (*self.attempts.reports, *self.reports)

    def _is_wanted(self, key: AttemptKey) -> bool:
        if key[0] not in self.run_index:
            return False
        last = self.run_index[key[0]].attempts[-1]
        return last.number == key[1] and not last.state.terminated
