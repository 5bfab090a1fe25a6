"""The engine's two questions: how does an execution begin, and what does it do next?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from penstock.engine.decision.controls import Controls
from penstock.engine.decision.decision import CompiledFlow, Decision, Observations
from penstock.engine.decision.ending import end, ended, refuse
from penstock.engine.decision.inputs import InvalidInputs, kept_apart, resolve_inputs
from penstock.engine.decision.restarting import kept_for_replay
from penstock.engine.decision.sla import SlaWatch
from penstock.engine.decision.starting import LimitExceeded
from penstock.engine.interface.actions import Children, KeepSecrets, Report, Step
from penstock.engine.interface.identity import Identity, inputs_secret
from penstock.engine.interface.limits import Limits
from penstock.engine.interface.turn import ALONE, Turn
from penstock.engine.kinds.checks import failed_check
from penstock.engine.kinds.flowables.pause import Holding
from penstock.engine.rendering.evaluation import Evaluation, HostFunctions, no_functions
from penstock.engine.state.task_run_cache import TaskRunCache
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.transitions import INITIAL, IllegalTransition, move_execution
from penstock.engine.state.tree import FlowTree
from penstock.expressions import Expressions
from penstock.flow.document import Flow
from penstock.resources.execution import (
    ExecutionSpec,
    ExecutionStatus,
    PinnedFlow,
    State,
    Transition,
)

__all__ = ["Engine", "refuse"]

NO_CHILDREN: Children = {}
INTERNAL_ERROR = "InternalError"
"""The reason of an Event and of a refusal: the engine made an error."""
_NOT_BEGUN = (State.CREATED, State.QUEUED, State.RESTARTED)
_WAITING = (State.PAUSED, State.BREAKPOINT, State.RETRYING)


class Engine:
    """Decides for the executions of one revision of one flow."""

    def __init__(
        self,
        flow: Flow,
        expressions: Expressions | None = None,
        limits: Limits | None = None,
        functions: HostFunctions = no_functions,
    ) -> None:
        self.flow = flow
        tree = FlowTree(flow)
        self._kit = CompiledFlow(tree, expressions or Expressions(), limits or Limits(), functions)
        self._boards = TaskRunCache(tree.traits)

    def begin(
        self,
        identity: Identity,
        spec: ExecutionSpec,
        now: datetime,
        turn: Turn = ALONE,
        source: ExecutionStatus | None = None,
    ) -> Step:
        """Begin an execution: give its first status, in which its first task runs are intended.

        `source` is the status of the execution that this one replays, with all its outputs.
        """
        status = ExecutionStatus(
            state=INITIAL,
            history=[Transition(state=INITIAL, date=now)],
            flow=PinnedFlow(
                namespace=self.flow.namespace,
                id=self.flow.id,
                revision=identity.revision,
            ),
            labels=self._labels(identity, spec, source),
            trigger=spec.trigger.id if spec.trigger else "manual",
            start_date=now,
        )
        given, kept = self._kept_apart(spec.inputs, identity)
        if kept:
            status = status.model_copy(update={"given_inputs": given})
        if self.flow.disabled:
            step = refuse(status, "FlowDisabled", "the flow is disabled", now)
        else:
            try:
                inputs = self._inputs(identity, spec, status, now, source)
            except InvalidInputs as error:
                step = refuse(status, "InvalidInputs", str(error), now)
            else:
                inputs, typed = self._kept_apart(inputs, identity)
                kept |= typed
                status = status.model_copy(update={"inputs": inputs})
                step = self._begun(identity, spec, status, now, turn, source)
        if not kept:
            return step
        keep = KeepSecrets(inputs_secret(identity.name, identity.uid), kept)
        return replace(step, actions=(keep, *step.actions))

    def _inputs(
        self,
        identity: Identity,
        spec: ExecutionSpec,
        status: ExecutionStatus,
        now: datetime,
        source: ExecutionStatus | None,
    ) -> dict[str, Any]:
        """Type the inputs, and add defaults. Raises ``InvalidInputs``.

        Nobody is there to be asked where a Flow trigger starts the execution, so it begins
        without the inputs that the trigger does not give, as in Kestra.
        """
        return resolve_inputs(
            self.flow.inputs,
            {**(source.inputs if source is not None else {}), **spec.inputs},
            lambda template, known: self._evaluate_input(identity, status, template, known, now),
            secrets_by_name=self._names_secrets(identity),
            may_lack=spec.trigger is not None and spec.trigger.is_flow_trigger,
        )

    def _names_secrets(self, identity: Identity) -> bool:
        """Whether secrets are known by their names only."""
        return "secret" not in self._kit.functions(identity, self.flow)

    def _kept_apart(
        self, inputs: Mapping[str, Any], identity: Identity
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Part the inputs from the texts that are to be in a Secret."""
        if not self._names_secrets(identity):
            return dict(inputs), {}
        secret = inputs_secret(identity.name, identity.uid)
        return kept_apart(self.flow.inputs, inputs, secret)

    def _begun(
        self,
        identity: Identity,
        spec: ExecutionSpec,
        status: ExecutionStatus,
        now: datetime,
        turn: Turn,
        source: ExecutionStatus | None,
    ) -> Step:
        """Decide the first step, once the inputs are known."""
        if source is not None and spec.replay is not None:
            try:
                kept = kept_for_replay(self._kit.tree, source, spec.replay)
            except IllegalTransition as error:
                return refuse(status, INTERNAL_ERROR, _own_error(error), now)
            if kept is None:
                wanted = spec.replay.task or spec.replay.task_run
                message = f"the execution {spec.replay.execution} has no task run of {wanted}"
                return refuse(status, "TaskRunNotFound", message, now)
            variables = source.variables if kept else None
            status = status.model_copy(update={"task_runs": kept, "variables": variables})
        return self._checked(identity, status, now, turn)

    def _checked(
        self, identity: Identity, status: ExecutionStatus, now: datetime, turn: Turn
    ) -> Step:
        """Look at the flow's checks, and go on where they let it."""
        evaluation = self._evaluation(identity, status)
        failed = failed_check(self.flow, evaluation.of_execution(now))
        if failed is None:
            return self.advance(identity, status, {}, now, turn=turn)
        if failed.behavior == "BLOCK_EXECUTION":
            return refuse(status, "CheckFailed", failed.message, now)
        if failed.behavior == "FAIL_EXECUTION":
            report = Report("CheckFailed", failed.message, warning=True)
            return Step(ended(status, State.FAILED, failed.message, now), reports=(report,))
        step = self.advance(identity, status, {}, now, turn=turn)
        return step.with_reports(Report("CheckFailed", failed.message, warning=True))

    def advance(
        self,
        identity: Identity,
        status: ExecutionStatus,
        observations: Observations,
        now: datetime,
        *,
        children: Children = NO_CHILDREN,
        turn: Turn = ALONE,
    ) -> Step:
        """Take in what happened and decide what is next.

        Deciding twice on the same arguments gives the same step; a step that changes nothing
        returns the status as it came. Where the engine would make a change of state that there is
        not, the step ends this one execution, and says so.
        """
        if status.finished and not identity.controls:
            return Step(status)
        board = self._boards.take(identity.uid, status.task_runs)
        decision = Decision(self._kit, identity, status, children, now, board)
        try:
            step = self._advance(decision, observations, turn)
        except IllegalTransition as error:
            return self._give_up(Decision(self._kit, identity, status, children, now), error)
        if not step.status.finished:
            self._boards.give_back(identity.uid, step.status.task_runs, board)
        return step

    def _advance(self, decision: Decision, observations: Observations, turn: Turn) -> Step:
        status, identity = decision.status, decision.identity
        controls = Controls(decision)
        controls.apply()
        if status.state.terminated and not controls.reopened:
            return self._advance_ended(decision, controls, observations)
        if waits := self._waits(decision, controls, turn):
            return waits
        if identity.killed:
            if decision.ledger.exit is State.RETRIED:
                decision.retries.call_off()
            decision.ledger.exit = State.KILLED
        return self._decide(decision, controls, observations)

    def _waits(self, decision: Decision, controls: Controls, turn: Turn) -> Step | None:
        """Give the step of an execution that may not run yet; None where it may."""
        status, now = decision.status, decision.now
        again = controls.reopened and status.state.terminated
        fresh = status.state in (State.CREATED, State.QUEUED) or again
        if not fresh or controls.forced or decision.identity.killed:
            return None
        scheduled = decision.identity.schedule_date
        if status.state is State.CREATED and scheduled is not None and scheduled > now:
            noted = self._noted(decision)
            return Step(noted, decision.actions(), decision.all_reports(), scheduled)
        if turn.has_come:
            return None
        assert turn.concurrency is not None
        if status.state is State.CREATED and turn.concurrency.behavior != "QUEUE":
            cancel = turn.concurrency.behavior == "CANCEL"
            state = State.CANCELLED if cancel else State.FAILED
            message = f"Flow is {state} due to concurrency limit exceeded"
            report = Report("ConcurrencyLimit", message, warning=True)
            return Step(ended(status, state, message, now), reports=(report,))
        waiting = self._noted(decision)
        if controls.reopened:
            waiting = move_execution(waiting, State.RESTARTED, now)
        queued = move_execution(waiting, State.QUEUED, now)
        return Step(_open_again(queued), decision.actions(), decision.all_reports())

    def _decide(self, decision: Decision, controls: Controls, observations: Observations) -> Step:
        status, now = decision.status, decision.now
        held = {run.id for run in status.task_runs if run.state is State.PAUSED}
        if controls.reopened and status.state.terminated:
            status = _open_again(move_execution(status, State.RESTARTED, now))
        decision.observe(observations)
        self._watch(decision, status)
        try:
            final = decision.settling.settle()
            if final is None and self._watch(decision, status):
                # What has just been done violated it.
                final = decision.settling.settle()
        except LimitExceeded as error:
            return self._stop(decision, "LimitExceeded", str(error))
        status = status.model_copy(
            update={
                "task_runs": list(decision.board),
                "progress": _progress(decision.board, decision.settling.waiting),
                "at_breakpoints": decision.settling.at_breakpoints,
            }
            | decision.ledger.fields()
        )
        if status.state in _NOT_BEGUN and status.task_runs:
            # Also where it is paused, or over, at once: whoever listens to it sees that it ran.
            status = move_execution(status, State.RUNNING, now)
        elif status.state in _WAITING and _went_on(held, decision.board, final):
            status = move_execution(status, State.RUNNING, now)
        if final is None:
            status = move_execution(status, self._open_state(decision), now)
            return self._step(decision, status, self._sla_watch(decision, status).deadline())
        return self._end(decision, status, final)

    def _watch(self, decision: Decision, status: ExecutionStatus) -> bool:
        """Act where the execution does not keep to its SLAs. Whether that was so."""
        violated = self._sla_watch(decision, status).check()
        if violated is None:
            return False
        decision.reports.append(violated)
        return True

    def _sla_watch(self, decision: Decision, status: ExecutionStatus) -> SlaWatch:
        evaluator = decision.evaluation.of_execution(decision.now)
        scheduled = decision.identity.schedule_date
        return SlaWatch(self.flow, status, evaluator, decision.ledger, decision.now, scheduled)

    def _end(self, decision: Decision, status: ExecutionStatus, final: State) -> Step:
        identity, now = decision.identity, decision.now
        evaluation = self._evaluation(identity, status, decision.board)
        status, report = end(self.flow, status, identity, decision.board, evaluation, final, now)
        step = self._step(decision, status).with_reports(report)
        if not any(not task.disabled for task in self.flow.after_execution):
            return step
        after = status.model_copy(update={"after_execution": State.RUNNING})
        return step.followed_by(self._advance_after(decision, after, {}))

    def _advance_ended(
        self, decision: Decision, controls: Controls, observations: Observations
    ) -> Step:
        """Do what people want of an execution that has ended, and go on with what runs after it."""
        status = self._noted(decision)
        if controls.end_state is not None:
            message = f"set to {controls.end_state} as its spec asks"
            status = move_execution(status, controls.end_state, decision.now)
            status = status.model_copy(update={"message": message})
        step = Step(status, decision.actions(), decision.all_reports())
        if status.after_execution is not State.RUNNING:
            return step
        return step.followed_by(self._advance_after(decision, status, observations))

    def _advance_after(
        self, ending: Decision, status: ExecutionStatus, observations: Observations
    ) -> Step:
        """Go on with `afterExecution`: it sees the end, and can't change it."""
        calm = status.model_copy(update={"exit": None, "violated_sla": None, "paused": False})
        decision = Decision(
            self._kit, ending.identity, calm, ending.known_children, ending.now, ending.board
        )
        decision.ledger.over = True
        decision.observe(observations)
        try:
            final = decision.settling.settle_after()
        except LimitExceeded as error:
            decision.reports.append(Report("LimitExceeded", str(error), warning=True))
            final = State.FAILED
        status = status.model_copy(
            update={
                "task_runs": list(decision.board),
                "after_execution": State.RUNNING if final is None else final,
                "labels": decision.ledger.labels,
                "variables": decision.ledger.changed_variables,
            }
        )
        return self._step(decision, status)

    def _step(
        self, decision: Decision, status: ExecutionStatus, deadline: datetime | None = None
    ) -> Step:
        dates = self._dates(decision)
        dates += [deadline] if deadline is not None else []
        return Step(
            status=status,
            actions=decision.actions(),
            reports=decision.all_reports(),
            wake=min(dates, default=None),
        )

    def _dates(self, decision: Decision) -> list[datetime]:
        """Give the dates at which task runs go on by themselves, as far as they may: nothing does
        so any more where the execution is to end, and where a person paused it only what waits for
        a person."""
        if decision.ledger.exit is not None:
            return []
        return [
            run.next_attempt
            for run in decision.board.open_runs()
            if run.next_attempt is not None
            and not (decision.ledger.paused and run.state in (State.RETRYING, State.RESTARTED))
        ]

    def _stop(self, decision: Decision, reason: str, message: str) -> Step:
        """End the execution where it stands: what runs is stopped, and nothing that was only
        intended is started. Of one that has ended, `afterExecution` ends."""
        decision.leaving.stop_all()
        status = decision.status.model_copy(
            update={"task_runs": list(decision.board)} | decision.ledger.fields()
        )
        if not status.state.terminated:
            status = ended(status, State.FAILED, message, decision.now)
        elif status.after_execution is State.RUNNING:
            status = status.model_copy(update={"after_execution": State.FAILED})
        report = Report(reason, message, warning=True)
        return Step(status, decision.actions(), (*decision.all_reports(), report))

    def _give_up(self, decision: Decision, error: IllegalTransition) -> Step:
        """End an execution for which the engine can't decide. The decision is a new one: what the
        one before it had changed counts for nothing. What people want of it is refused, or it would
        be tried again, and fail again, for ever."""
        message = _own_error(error)
        Controls(decision).refuse(message)
        return self._stop(decision, INTERNAL_ERROR, message)

    def _noted(self, decision: Decision) -> ExecutionStatus:
        """Write into the status what people asked for, and nothing further."""
        changes: dict[str, Any] = decision.ledger.fields()
        if decision.ledger.controls != decision.status.controls:
            changes["task_runs"] = list(decision.board)
        return decision.status.model_copy(update=changes)

    def _open_state(self, decision: Decision) -> State:
        """Say what an open execution is doing: it is paused, or waits for a retry, where it does
        nothing else."""
        if decision.ledger.paused:
            return State.PAUSED
        waiting: set[State] = set()
        for run in decision.board.open_runs():
            task = decision.task_of(run)
            if run.state is State.PAUSED and isinstance(task, Holding):
                waiting.add(State.PAUSED)
            elif run.attempts and run.state is State.RETRYING:
                waiting.add(State.RETRYING)
            elif run.attempts or run.state is State.PAUSED:
                return State.RUNNING
        if decision.settling.at_breakpoints:
            waiting.add(State.BREAKPOINT)
        order = (State.PAUSED, State.BREAKPOINT, State.RETRYING)
        return next((state for state in order if state in waiting), State.RUNNING)

    def _labels(
        self, identity: Identity, spec: ExecutionSpec, source: ExecutionStatus | None
    ) -> dict[str, str]:
        labels = {
            key: value for key, value in self.flow.labels.items() if not key.startswith("system.")
        }
        if source is not None:
            labels |= source.labels | {"system.replay": "true"}
            labels["system.correlationId"] = identity.name
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
        known, _ = self._kept_apart(known, identity)
        seen = status.model_copy(update={"inputs": dict(known)})
        return self._evaluation(identity, seen).of_execution(now).evaluate(template)

    def _evaluation(
        self, identity: Identity, status: ExecutionStatus, board: TaskRunIndex | None = None
    ) -> Evaluation:
        kit = self._kit
        if board is None:
            board = TaskRunIndex(status.task_runs, kit.tree.traits)
        return Evaluation(
            kit.expressions, self.flow, identity, status, board, functions=kit.functions
        )


def _own_error(error: IllegalTransition) -> str:
    return f"the controller made an error, please report it: {error}"


def _progress(board: TaskRunIndex, waiting: int) -> str:
    return f"{board.ended}/{len(board) + waiting}"


def _went_on(held: set[str], board: TaskRunIndex, final: State | None) -> bool:
    """Whether an execution that waited ran again, if only for a moment, before it ended or was held
    by the next Pause."""
    if final in (State.KILLED, State.CANCELLED):
        return False
    still = any(run.id in held and run.state is State.PAUSED for run in board)
    return final is not None or (bool(held) and not still)


def _open_again(status: ExecutionStatus) -> ExecutionStatus:
    """Take from a status what only an execution that has ended has."""
    return status.model_copy(
        update={
            "end_date": None,
            "duration": None,
            "message": None,
            "refusal": None,
            "outputs": None,
            "after_execution": None,
        }
    )
