"""Expressions as the engine uses them: with a clock and a dice that replay.

An attempt that is decided twice, before and after a crash, must render to the same text. So `now()`
is the date at which the intent was written, and what is random is drawn from the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from typing import Any

from penstock.engine.interface.identity import Identity
from penstock.engine.interface.secrets import SecretInputs, refuse_secret
from penstock.engine.rendering.evaluators import (
    AttemptEvaluator,
    BoundEvaluator,
    HandingEvaluator,
    WaryEvaluator,
)
from penstock.engine.rendering.variables import (
    Variables,
    error_logs,
    execution_variables,
    task_run_variables,
)
from penstock.engine.state.execution_changes import ExecutionChanges
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.expressions import ExpressionError, Expressions, Host, is_truthy
from penstock.flow.document import Flow
from penstock.flow.inputs import nest
from penstock.flow.task import Task
from penstock.resources.execution import ExecutionStatus, State, TaskRun

HostFunctions = Callable[[Identity, Flow], Mapping[str, Callable[..., Any]]]
"""The functions of the expression language that read something, for one execution."""


def no_functions(identity: Identity, flow: Flow) -> Mapping[str, Callable[..., Any]]:
    return {}


class Evaluation:
    """Makes the evaluators of one execution during one decision."""

    def __init__(
        self,
        expressions: Expressions,
        flow: Flow,
        identity: Identity,
        status: ExecutionStatus,
        run_index: TaskRunIndex,
        changes: ExecutionChanges | None = None,
        functions: HostFunctions = no_functions,
    ) -> None:
        self._expressions = expressions
        self._identity = identity
        self._run_index = run_index
        given = functions(identity, flow)
        self._knows_secrets = "secret" in given
        asked = {} if self._knows_secrets else run_index.traits.asked
        self._secret_inputs = SecretInputs(identity.uid, flow.inputs, status.inputs, asked)
        self._shared = execution_variables(
            flow,
            identity,
            status,
            run_index,
            changes or ExecutionChanges(flow, status),
            self._secret_inputs,
        )
        self._functions = {
            "secret": refuse_secret,
            **given,
            "errorLogs": lambda: error_logs(run_index),
        }

    def of_execution(self, date: datetime) -> BoundEvaluator:
        """Give the expressions that belong to no task run, such as those of the flow's outputs."""
        return self._bind({}, date, "execution")

    def of_task_run(self, run: TaskRun, task: Task) -> BoundEvaluator:
        """Give the expressions of a task, for one task run; its last attempt fixes the time."""
        date = run.attempts[-1].created_date if run.attempts else run.start_date
        seed = f"{run.id}/{len(run.attempts)}"
        return self._bind(self._own(run, task), date, seed)

    def of_attempt(self, run: TaskRun, task: Task, kind: str = "") -> AttemptEvaluator:
        """Give the expressions of what the pod of the last attempt is given. ``kind`` tells apart
        what it is given of several tasks."""
        evaluator = self.of_task_run(run, task)
        if self._knows_secrets:
            return AttemptEvaluator(evaluator, None)
        seed = f"{self._identity.uid}/{run.id}/{len(run.attempts)}"
        return AttemptEvaluator(evaluator, evaluator.tokens(seed, self._secret_inputs, kind))

    def of_request(
        self, run: TaskRun, task: Task, variables: Mapping[str, Any]
    ) -> HandingEvaluator:
        """Give the expressions of what another execution is given, with variables of its own."""
        evaluator = self.with_variables(run, task, variables)
        if self._knows_secrets:
            return HandingEvaluator(evaluator, None)
        seed = f"{self._identity.uid}/{run.id}/{len(run.attempts)}/{sorted(variables)}"
        return HandingEvaluator(evaluator, evaluator.tokens(seed, self._secret_inputs, "h"))

    def of_child(self, status: ExecutionStatus, date: datetime) -> BoundEvaluator:
        """Give expressions that see the inputs and outputs of an execution that this one made."""
        run_index = TaskRunIndex(status.task_runs)
        own: dict[str, Callable[[], Any]] = {
            "inputs": lambda: nest(status.inputs),
            "outputs": run_index.visible_outputs,
        }
        return self._bind(own, date, "child")

    def with_variables(
        self, run: TaskRun, task: Task, variables: Mapping[str, Any]
    ) -> BoundEvaluator:
        """Give the expressions of a task, with further variables, or others of the same name."""
        date = run.attempts[-1].created_date if run.attempts else run.start_date
        own = self._own(run, task)
        for name, value in variables.items():
            own[name] = lambda value=value: value  # type: ignore[misc]
        return self._bind(own, date, f"{run.id}/{len(run.attempts)}/{sorted(variables)}")

    def allowed(self, run: TaskRun, task: Task, state: State) -> State:
        """Say what `allowFailure` and `allowWarning` make of an end state, in this order."""
        if state is State.FAILED and self.may_fail(run, task):
            state = State.WARNING
        if state is State.WARNING and self._holds(run, task, task.allow_warning):
            state = State.SUCCESS
        return state

    def may_fail(self, run: TaskRun, task: Task) -> bool:
        """Whether `allowFailure` lets the task fail."""
        return self._holds(run, task, task.allow_failure)

    def _holds(self, run: TaskRun, task: Task, flag: bool | str) -> bool:
        """Whether a flag holds, which may be an expression; one that can't be rendered does not."""
        if isinstance(flag, bool):
            return flag
        try:
            return is_truthy(self.of_task_run(run, task).evaluate(flag))
        except ExpressionError:
            return False

    def random(self, seed: str) -> Random:
        """Give a dice that shows the same whenever the execution and the seed are the same."""
        return Random(f"{self._identity.uid}/{seed}")

    def _own(self, run: TaskRun, task: Task) -> dict[str, Callable[[], Any]]:
        return task_run_variables(self._run_index, run, task, self._secret_inputs)

    def _bind(
        self, own: Mapping[str, Callable[[], Any]], date: datetime, seed: str
    ) -> BoundEvaluator:
        host = Host(now=lambda: date, random=self.random(seed), functions=self._functions)
        variables = Variables({**self._shared, **own})
        if self._secret_inputs.may_show:
            return WaryEvaluator(self._expressions, variables, host, self._secret_inputs.mark)
        return BoundEvaluator(self._expressions, variables, host)
