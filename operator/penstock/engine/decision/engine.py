"""The engine's two questions: how does an execution begin, and what does it do next?"""

from __future__ import annotations

from datetime import datetime

from penstock.engine.decision.beginning import Beginning
from penstock.engine.decision.controls import Controls
from penstock.engine.decision.decision import CompiledFlow, Decision, Observations
from penstock.engine.decision.ending import INTERNAL_ERROR, end, ended, refuse
from penstock.engine.decision.sla import SlaWatch
from penstock.engine.decision.starting import LimitExceeded
from penstock.engine.decision.steps import (
    noted,
    open_again,
    open_state,
    progress,
    step_of,
    went_on,
)
from penstock.engine.interface.actions import Children, Report, Step
from penstock.engine.interface.identity import Identity
from penstock.engine.interface.limits import Limits
from penstock.engine.interface.turn import ALONE, Turn
from penstock.engine.rendering.evaluation import Evaluation, HostFunctions, no_functions
from penstock.engine.state.task_run_cache import TaskRunCache
from penstock.engine.state.transitions import IllegalTransition, move_execution
from penstock.engine.state.tree import FlowTree
from penstock.expressions import Expressions
from penstock.flow.document import Flow
from penstock.resources.execution import (
    ExecutionSpec,
    ExecutionStatus,
    State,
)

__all__ = ["Engine", "refuse"]

NO_CHILDREN: Children = {}
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
        self._compiled = CompiledFlow(
            tree, expressions or Expressions(), limits or Limits(), functions
        )
        self._run_indexes = TaskRunCache(tree.traits)

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
        beginning = Beginning(self._compiled, identity, spec, now, source)
        step = beginning.step()
        if not step.status.state.terminated:
            reports = step.reports
            step = self.advance(identity, step.status, {}, now, turn=turn).with_reports(*reports)
        return beginning.with_secrets(step)

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
        run_index = self._run_indexes.take(identity.uid, status.task_runs)
        decision = Decision(self._compiled, identity, status, children, now, run_index)
        try:
            step = self._advance(decision, observations, turn)
        except IllegalTransition as error:
            return self._give_up(Decision(self._compiled, identity, status, children, now), error)
        if not step.status.finished:
            self._run_indexes.give_back(identity.uid, step.status.task_runs, run_index)
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
            if decision.changes.exit is State.RETRIED:
                decision.retries.call_off()
            decision.changes.exit = State.KILLED
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
            status = noted(decision)
            return Step(status, decision.actions(), decision.all_reports(), scheduled)
        if turn.has_come:
            return None
        limit = None if turn.has_slot_of_flow else turn.concurrency
        if status.state is State.CREATED and limit is not None and limit.behavior != "QUEUE":
            cancel = limit.behavior == "CANCEL"
            state = State.CANCELLED if cancel else State.FAILED
            message = f"Flow is {state} due to concurrency limit exceeded"
            report = Report("ConcurrencyLimit", message, warning=True)
            return Step(ended(status, state, message, now), reports=(report,))
        waiting = noted(decision)
        if controls.reopened:
            waiting = move_execution(waiting, State.RESTARTED, now)
        queued = open_again(move_execution(waiting, State.QUEUED, now))
        queued = queued.model_copy(update={"message": turn.waits_for})
        return Step(queued, decision.actions(), decision.all_reports())

    def _decide(self, decision: Decision, controls: Controls, observations: Observations) -> Step:
        status, now = decision.status, decision.now
        held = {run.id for run in status.task_runs if run.state is State.PAUSED}
        if controls.reopened and status.state.terminated:
            status = open_again(move_execution(status, State.RESTARTED, now))
        elif status.state is State.QUEUED:
            status = status.model_copy(update={"message": None})  # it waits no more
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
                "task_runs": list(decision.run_index),
                "progress": progress(decision.run_index, decision.settling.waiting),
                "at_breakpoints": decision.settling.at_breakpoints,
            }
            | decision.changes.fields()
        )
        if status.state in _NOT_BEGUN and status.task_runs:
            # Also where it is paused, or over, at once: whoever listens to it sees that it ran.
            status = move_execution(status, State.RUNNING, now)
        elif status.state in _WAITING and went_on(held, decision.run_index, final):
            status = move_execution(status, State.RUNNING, now)
        if final is None:
            status = move_execution(status, open_state(decision), now)
            return step_of(decision, status, self._sla_watch(decision, status).deadline())
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
        return SlaWatch(self.flow, status, evaluator, decision.changes, decision.now, scheduled)

    def _end(self, decision: Decision, status: ExecutionStatus, final: State) -> Step:
        identity, now = decision.identity, decision.now
        compiled, run_index = self._compiled, decision.run_index
        evaluation = Evaluation(
            compiled.expressions,
            self.flow,
            identity,
            status,
            run_index,
            functions=compiled.functions,
        )
        status, report = end(self.flow, status, identity, run_index, evaluation, final, now)
        step = step_of(decision, status).with_reports(report)
        if not any(not task.disabled for task in self.flow.after_execution):
            return step
        after = status.model_copy(update={"after_execution": State.RUNNING})
        return step.followed_by(self._advance_after(decision, after, {}))

    def _advance_ended(
        self, decision: Decision, controls: Controls, observations: Observations
    ) -> Step:
        """Do what people want of an execution that has ended, and go on with what runs after it."""
        status = noted(decision)
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
            self._compiled,
            ending.identity,
            calm,
            ending.known_children,
            ending.now,
            ending.run_index,
        )
        decision.changes.over = True
        decision.observe(observations)
        try:
            final = decision.settling.settle_after()
        except LimitExceeded as error:
            decision.reports.append(Report("LimitExceeded", str(error), warning=True))
            final = State.FAILED
        status = status.model_copy(
            update={
                "task_runs": list(decision.run_index),
                "after_execution": State.RUNNING if final is None else final,
                "labels": decision.changes.labels,
                "variables": decision.changes.changed_variables,
            }
        )
        return step_of(decision, status)

    def _stop(self, decision: Decision, reason: str, message: str) -> Step:
        """End the execution where it stands: what runs is stopped, and nothing that was only
        intended is started. Of one that has ended, `afterExecution` ends."""
        decision.leaving.stop_all()
        status = decision.status.model_copy(
            update={"task_runs": list(decision.run_index)} | decision.changes.fields()
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
        Controls(decision).refuse(error.told)
        return self._stop(decision, INTERNAL_ERROR, error.told)
