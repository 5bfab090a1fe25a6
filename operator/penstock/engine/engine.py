"""The engine's two questions: how does an execution begin, and what does it do next?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from penstock.engine.actions import AttemptKey, Observation, Report, Step, StopAttempt
from penstock.engine.attempts import Attempts
from penstock.engine.board import Board
from penstock.engine.evaluation import Evaluation
from penstock.engine.identity import Identity
from penstock.engine.inputs import InvalidInputs, resolve_inputs
from penstock.engine.ledger import Ledger
from penstock.engine.limits import Limits
from penstock.engine.outputs import resolve_outputs
from penstock.engine.settling import LimitExceeded, Settling
from penstock.engine.tree import FlowTree
from penstock.expressions import ExpressionError, Expressions
from penstock.flow.document import Flow
from penstock.flow.task import RunnableTask
from penstock.flow.values import InvalidInput
from penstock.resources.execution import (
    ExecutionSpec,
    ExecutionStatus,
    PinnedFlow,
    State,
    TaskRun,
    Transition,
)

Observations = Mapping[AttemptKey, Observation]


class Engine:
    """Decides for the executions of one revision of one flow."""

    def __init__(
        self, flow: Flow, expressions: Expressions | None = None, limits: Limits | None = None
    ) -> None:
        self.flow = flow
        self._tree = FlowTree(flow)
        self._expressions = expressions or Expressions()
        self._limits = limits or Limits()

    def begin(self, identity: Identity, spec: ExecutionSpec, now: datetime) -> Step:
        """The first status of an execution, with its first task runs already intended."""
        status = ExecutionStatus(
            state=State.CREATED,
            history=[Transition(state=State.CREATED, date=now)],
            flow=PinnedFlow(
                namespace=self.flow.namespace,
                id=self.flow.id,
                revision=identity.revision,
            ),
            labels=self._labels(identity, spec),
            trigger=spec.trigger.id if spec.trigger else "manual",
            start_date=now,
        )
        if self.flow.disabled:
            return refuse(status, "FlowDisabled", "the flow is disabled", now)
        try:
            inputs = resolve_inputs(
                self.flow.inputs,
                spec.inputs,
                lambda template, known: self._evaluate_input(
                    identity, status, template, known, now
                ),
            )
        except InvalidInputs as error:
            return refuse(status, "InvalidInputs", str(error), now)
        return self.advance(identity, status.model_copy(update={"inputs": inputs}), {}, now)

    def advance(
        self,
        identity: Identity,
        status: ExecutionStatus,
        observations: Observations,
        now: datetime,
    ) -> Step:
        """Take in what happened and decide what is next.

        Deciding twice on the same arguments gives the same step; a step that changes nothing
        returns the status as it came.
        """
        if status.state.terminated:
            return Step(status)
        board = Board(status.task_runs)
        ledger = Ledger(self.flow, status)
        if identity.killed:
            ledger.exit = State.KILLED
        evaluation = Evaluation(self._expressions, self.flow, identity, status, board, ledger)
        attempts = Attempts(self._tree, board, evaluation, self._limits, now)
        settling = Settling(self._tree, board, attempts, evaluation, ledger, self._limits, now)
        self._observe(board, attempts, observations)
        try:
            end = settling.settle()
        except LimitExceeded as error:
            status = status.model_copy(update=ledger.fields())
            return self._stop(status, board, attempts, str(error), now)
        status = status.model_copy(
            update={
                "task_runs": list(board),
                "progress": _progress(board, settling.waiting),
            }
            | ledger.fields()
        )
        reports = attempts.reports
        if end is not None:
            status, report = self._end(status, identity, board, end, now)
            reports = [*reports, report]
        else:
            status = _transition(status, _open_state(board), now)
        return Step(
            status=status,
            actions=(
                *settling.stops,
                *(action for action in attempts.requested if _still_wanted(board, action.key)),
            ),
            reports=tuple(reports),
            wake=min((run.next_attempt for run in board if run.next_attempt), default=None),
        )

    def _observe(self, board: Board, attempts: Attempts, observations: Observations) -> None:
        """Take in all that happened; then ask again for the Jobs of which nothing was seen."""
        unseen: list[tuple[TaskRun, RunnableTask]] = []
        for run in board:
            task = self._tree[run.task_id].task
            if run.state.terminated or not isinstance(task, RunnableTask) or not run.attempts:
                continue
            last = run.attempts[-1]
            if last.state.terminated:
                continue
            seen = observations.get((run.id, last.number))
            if seen is not None:
                attempts.observe(run, task, seen)
            elif last.state is State.CREATED:
                unseen.append((run, task))
        for run, task in unseen:
            attempts.request(run, task)

    def _end(
        self,
        status: ExecutionStatus,
        identity: Identity,
        board: Board,
        end: State,
        now: datetime,
    ) -> tuple[ExecutionStatus, Report]:
        outputs: dict[str, Any] | None = None
        message: str | None = None
        if self.flow.outputs and end not in (State.KILLED, State.CANCELLED):
            evaluation = Evaluation(self._expressions, self.flow, identity, status, board)
            try:
                outputs = resolve_outputs(self.flow.outputs, evaluation.of_execution(now))
            except (ExpressionError, InvalidInput) as error:
                end, message = State.FAILED, f"the flow's outputs can't be had: {error}"
        if end is State.FAILED and message is None:
            message = _first_failure(board)
            if message is None and status.exit is not None:
                message = "an Exit task ended it"
        if end is State.KILLED and identity.killed:
            message = "killed as its spec asks"
        status = _ended(status.model_copy(update={"outputs": outputs}), end, message, now)
        words = f"ended {end} after {status.duration}" + (f": {message}" if message else "")
        warning = end not in (State.SUCCESS, State.WARNING)
        return status, Report(end.capitalize(), words, warning)

    def _stop(
        self,
        status: ExecutionStatus,
        board: Board,
        attempts: Attempts,
        message: str,
        now: datetime,
    ) -> Step:
        """End the execution at a limit; nothing that was only intended is started."""
        open_runs = [run for run in board if not run.state.terminated]
        stops = tuple(
            StopAttempt(run, attempt)
            for run in open_runs
            for attempt in run.attempts
            if not attempt.state.terminated
        )
        for run in open_runs:
            attempts.close(run, State.CANCELLED)
        status = status.model_copy(update={"task_runs": list(board)})
        report = Report("LimitExceeded", message, warning=True)
        ended = _ended(status, State.FAILED, message, now)
        return Step(ended, stops, (*attempts.reports, report))

    def _labels(self, identity: Identity, spec: ExecutionSpec) -> dict[str, str]:
        labels = {
            key: value for key, value in self.flow.labels.items() if not key.startswith("system.")
        }
        labels |= spec.labels
        labels.setdefault("system.correlationId", identity.name)
        return labels

    def _evaluate_input(
        self,
        identity: Identity,
        status: ExecutionStatus,
        template: Any,
        known: Mapping[str, Any],
        now: datetime,
    ) -> Any:
        seen = status.model_copy(update={"inputs": dict(known)})
        evaluation = Evaluation(self._expressions, self.flow, identity, seen, Board(()))
        return evaluation.of_execution(now).evaluate(template)


def refuse(status: ExecutionStatus, reason: str, message: str, now: datetime) -> Step:
    """End an execution before anything of it ran."""
    return Step(
        status=_ended(status, State.FAILED, message, now),
        reports=(Report(reason, message, warning=True),),
        refusal=reason,
    )


def _still_wanted(board: Board, key: AttemptKey) -> bool:
    run = board[key[0]]
    return run.attempts[-1].number == key[1] and not run.attempts[-1].state.terminated


def _transition(status: ExecutionStatus, state: State, now: datetime) -> ExecutionStatus:
    if status.state is state:
        return status
    history = [*status.history, Transition(state=state, date=now)]
    return status.model_copy(update={"state": state, "history": history})


def _ended(
    status: ExecutionStatus, end: State, message: str | None, now: datetime
) -> ExecutionStatus:
    start = status.start_date or now
    return _transition(status, end, now).model_copy(
        update={
            "end_date": now,
            "duration": f"{(now - start).total_seconds():.1f}s",
            "message": message,
        }
    )


def _open_state(board: Board) -> State:
    """RETRYING where nothing but waits for a retry is left, else RUNNING."""
    live = [run for run in board if run.attempts and not run.state.terminated]
    waits = bool(live) and all(run.state is State.RETRYING for run in live)
    return State.RETRYING if waits else State.RUNNING


def _progress(board: Board, waiting: int) -> str:
    done = sum(run.state.terminated for run in board)
    return f"{done}/{len(board) + waiting}"


def _first_failure(board: Board) -> str | None:
    """The failure that the execution ended with, not one that was allowed further out."""
    for run in board:
        led_to_the_end = all(outer.state is State.FAILED for outer in board.ancestors(run))
        if run.state is State.FAILED and run.message and led_to_the_end:
            value = f" [{run.value}]" if run.value is not None else ""
            return f"task {run.task_id}{value}: {run.message}"
    return None
