"""Expressions as the engine uses them: with a clock and a dice that replay.

An attempt that is decided twice, before and after a crash, must render to the same text. So `now()`
is the date at which the intent was written, and what is random is drawn from the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

from penstock.engine.board import Board
from penstock.engine.identity import Identity
from penstock.engine.ledger import Ledger
from penstock.engine.secrets import NO_SECRETS, SecretInputs, Secrets, refuse_secret
from penstock.engine.tokens import SecretTokens
from penstock.engine.variables import (
    Variables,
    error_logs,
    execution_variables,
    task_run_variables,
)
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
    """The expressions of one execution during one decision."""

    def __init__(
        self,
        expressions: Expressions,
        flow: Flow,
        identity: Identity,
        status: ExecutionStatus,
        board: Board,
        ledger: Ledger | None = None,
        functions: HostFunctions = no_functions,
    ) -> None:
        self._expressions = expressions
        self._identity = identity
        self._board = board
        given = functions(identity, flow)
        self._knows_secrets = "secret" in given
        asked = {} if self._knows_secrets else board.traits.asked
        self._secret_inputs = SecretInputs(identity.uid, flow.inputs, status.inputs, asked)
        self._shared = execution_variables(
            flow, identity, status, board, ledger or Ledger(flow, status), self._secret_inputs
        )
        self._functions = {
            "secret": refuse_secret,
            **given,
            "errorLogs": lambda: error_logs(board),
        }

    def of_execution(self, date: datetime) -> BoundEvaluator:
        """Expressions that belong to no task run, such as those of the flow's outputs."""
        return self._bind({}, date, "execution")

    def of_task_run(self, run: TaskRun, task: Task) -> BoundEvaluator:
        """Expressions of a task, for one task run; fixed in time by its last attempt."""
        date = run.attempts[-1].created_date if run.attempts else run.start_date
        seed = f"{run.id}/{len(run.attempts)}"
        return self._bind(self._own(run, task), date, seed)

    def of_attempt(self, run: TaskRun, task: Task, kind: str = "") -> AttemptEvaluator:
        """As `of_task_run`, for what the pod of the last attempt is given. ``kind`` tells apart
        what it is given of several tasks."""
        evaluator = self.of_task_run(run, task)
        if self._knows_secrets:
            return AttemptEvaluator(evaluator, None)
        seed = f"{self._identity.uid}/{run.id}/{len(run.attempts)}"
        return AttemptEvaluator(evaluator, evaluator.tokens(seed, self._secret_inputs, kind))

    def of_request(
        self, run: TaskRun, task: Task, variables: Mapping[str, Any]
    ) -> HandingEvaluator:
        """As `with_variables`, for what another execution is given."""
        evaluator = self.with_variables(run, task, variables)
        if self._knows_secrets:
            return HandingEvaluator(evaluator, None)
        seed = f"{self._identity.uid}/{run.id}/{len(run.attempts)}/{sorted(variables)}"
        return HandingEvaluator(evaluator, evaluator.tokens(seed, self._secret_inputs, "h"))

    def of_child(self, status: ExecutionStatus, date: datetime) -> BoundEvaluator:
        """Expressions that see the inputs and outputs of an execution that this one made."""
        board = Board(status.task_runs)
        own: dict[str, Callable[[], Any]] = {
            "inputs": lambda: nest(status.inputs),
            "outputs": board.visible_outputs,
        }
        return self._bind(own, date, "child")

    def with_variables(
        self, run: TaskRun, task: Task, variables: Mapping[str, Any]
    ) -> BoundEvaluator:
        """As `of_task_run`, with further variables beside or in place of those."""
        date = run.attempts[-1].created_date if run.attempts else run.start_date
        own = self._own(run, task)
        for name, value in variables.items():
            own[name] = lambda value=value: value  # type: ignore[misc]
        return self._bind(own, date, f"{run.id}/{len(run.attempts)}/{sorted(variables)}")

    def allowed(self, run: TaskRun, task: Task, state: State) -> State:
        """What `allowFailure` and `allowWarning` make of an end state, in this order."""
        if state is State.FAILED and self._holds(run, task, task.allow_failure):
            state = State.WARNING
        if state is State.WARNING and self._holds(run, task, task.allow_warning):
            state = State.SUCCESS
        return state

    def _holds(self, run: TaskRun, task: Task, flag: bool | str) -> bool:
        """A flag that may be an expression; one that can't be rendered does not hold."""
        if isinstance(flag, bool):
            return flag
        try:
            return is_truthy(self.of_task_run(run, task).evaluate(flag))
        except ExpressionError:
            return False

    def random(self, seed: str) -> Random:
        """A dice that shows the same for the same execution and seed."""
        return Random(f"{self._identity.uid}/{seed}")

    def _own(self, run: TaskRun, task: Task) -> dict[str, Callable[[], Any]]:
        return task_run_variables(self._board, run, task, self._secret_inputs)

    def _bind(
        self, own: Mapping[str, Callable[[], Any]], date: datetime, seed: str
    ) -> BoundEvaluator:
        host = Host(now=lambda: date, random=self.random(seed), functions=self._functions)
        variables = Variables({**self._shared, **own})
        if self._secret_inputs.may_show:
            return WaryEvaluator(self._expressions, variables, host, self._secret_inputs.mark)
        return BoundEvaluator(self._expressions, variables, host)


class BoundEvaluator:
    """Expressions with their variables."""

    def __init__(self, expressions: Expressions, variables: Variables, host: Host) -> None:
        self._expressions = expressions
        self._variables = variables
        self._host = host

    def render(self, template: Any) -> str | None:
        if isinstance(template, bool):
            return str(template).lower()
        if template is None or isinstance(template, int | float):
            return None if template is None else str(template)
        return self._expressions.render(template, self._variables, self._host)

    def evaluate(self, template: Any) -> Any:
        if not isinstance(template, str):
            return template
        return self._expressions.evaluate(template, self._variables, self._host)

    def render_tree(self, value: Any) -> Any:
        return self._expressions.render_tree(value, self._variables, self._host)

    def at(self, host: Host) -> BoundEvaluator:
        """The same expressions in other surroundings."""
        return BoundEvaluator(self._expressions, self._variables, host)

    def tokens(self, seed: str, inputs: SecretInputs, kind: str) -> SecretTokens:
        """The same expressions, with tokens for secrets."""
        return SecretTokens(self._expressions, self._variables, self._host, seed, inputs, kind)


class WaryEvaluator(BoundEvaluator):
    """Expressions of an execution with inputs of type SECRET, none of which may be read."""

    def __init__(
        self, expressions: Expressions, variables: Variables, host: Host, mark: str
    ) -> None:
        super().__init__(expressions, variables, host)
        self._mark = mark

    def render(self, template: Any) -> str | None:
        rendered: str | None = self._checked(super().render, template)
        return rendered

    def evaluate(self, template: Any) -> Any:
        return self._checked(super().evaluate, template)

    def render_tree(self, value: Any) -> Any:
        return self._checked(super().render_tree, value)

    def _checked(self, render: Callable[[Any], Any], value: Any) -> Any:
        from penstock.expressions.opaque import Opaque

        opaque = Opaque(self._mark)
        host, self._host = self._host, replace(self._host, opaque=opaque)
        try:
            rendered = render(value)
        except ExpressionError:
            if not opaque.used:
                raise
        finally:
            self._host = host
        return refuse_secret() if opaque.used or opaque.holds(rendered) else rendered


class HandingEvaluator:
    """Expressions of what another execution is given: a secret goes there by its name, and only
    where it is the whole of an input."""

    def __init__(self, evaluator: BoundEvaluator, tokens: SecretTokens | None) -> None:
        self._evaluator = evaluator
        self._tokens = tokens
        self.render = evaluator.render
        self.evaluate = evaluator.evaluate
        self.render_tree = evaluator.render_tree

    @property
    def secrets(self) -> Secrets:
        """Those that were handed on so far."""
        return self._tokens.secrets if self._tokens is not None else NO_SECRETS

    def inputs(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs of the other execution, with a token in the place of each secret."""
        tokens = self._tokens
        if tokens is None:
            known: dict[str, Any] = self._evaluator.render_tree(values)
            return known
        asks, rendered = tokens.asks(lambda host: self._evaluator.at(host).render_tree(values))
        if asks:
            rendered = {
                str(self._evaluator.render(name)): tokens.handed(name, value)
                for name, value in values.items()
            }
        return dict(rendered)


class AttemptEvaluator:
    """Expressions of what a pod is given: where secrets are not known here, they are tokens."""

    def __init__(self, evaluator: BoundEvaluator, tokens: SecretTokens | None) -> None:
        self._evaluator = evaluator
        self._tokens = tokens

    @property
    def secrets(self) -> Secrets:
        """Those that were read so far."""
        return self._tokens.secrets if self._tokens is not None else NO_SECRETS

    def render(self, template: Any) -> str | None:
        """The text of a property."""
        if self._tokens is None or not isinstance(template, str):
            return self._evaluator.render(template)
        rendered: str | None = self._of_text(template, typed=False)
        return rendered

    def evaluate(self, template: Any) -> Any:
        """The value of a property, with its own type where it is a single expression."""
        if self._tokens is None or not isinstance(template, str):
            return self._evaluator.evaluate(template)
        return self._of_text(template, typed=True)

    def render_tree(self, value: Any) -> Any:
        """The text of everything in a list or map."""
        tokens = self._tokens
        if tokens is None:
            return self._evaluator.render_tree(value)
        asks, rendered = tokens.asks(lambda host: self._evaluator.at(host).render_tree(value))
        return tokens.tree(value) if asks else rendered

    def _of_text(self, template: str, *, typed: bool) -> Any:
        assert self._tokens is not None
        name = "evaluate" if typed else "render"
        asks, rendered = self._tokens.asks(
            lambda host: getattr(self._evaluator.at(host), name)(template)
        )
        return self._tokens.text(template, typed=typed) if asks else rendered
