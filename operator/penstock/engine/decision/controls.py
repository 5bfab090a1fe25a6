"""What people want of an execution: each control is done once, and told in the status.

A control is known by its id. One that was done, or refused, is never looked at again, so it does
not matter how often the same spec is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from penstock.engine.decision.controlsecrets import ControlSecrets
from penstock.engine.decision.decision import Decision
from penstock.engine.decision.inputs import InvalidInputs, resolve_inputs
from penstock.engine.decision.restarting import handlers, mark, restart, to_do_again
from penstock.engine.interface.actions import Report, StartExecution
from penstock.engine.interface.flowable import FlowableError
from penstock.engine.interface.identity import derived_name
from penstock.engine.kinds.flowables.pause import Holding
from penstock.engine.rendering.variables import iso
from penstock.flow.values import InvalidInput
from penstock.resources.execution import (
    Control,
    ControlResult,
    ExecutionSpec,
    FlowReference,
    ReplayReference,
    ResumeRequest,
    State,
    TaskRun,
)

_KEPT = 50
"""Results of controls that the spec does not name any more."""

END_STATES = frozenset({State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.CANCELLED})


class Refused(Exception):
    """A control that can't be done; the text tells the person why."""


class Controls:
    """Does what the spec asks for and the status does not tell of yet."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision
        self.reopened = False
        """Whether an execution that had ended goes on."""
        self.forced = False
        """Whether it runs although it is not its turn."""
        self.end_state: State | None = None
        """The end state that an execution that has ended gets."""

    def apply(self) -> None:
        """Do all that is asked for, in its order."""
        decision = self._decision
        for control in _pending(decision):
            try:
                message = self._do(control)
                result = ControlResult(id=control.id, date=decision.now, done=True, message=message)
                text = f"{control.kind} `{control.id}`" + (f": {message}" if message else "")
                decision.reports.append(Report("Control", text))
            except Refused as error:
                result = self._refused(control, str(error))
            self._tell(control, result)

    def refuse(self, message: str) -> None:
        """Do nothing of what is asked for, and say why."""
        for control in _pending(self._decision):
            self._tell(control, self._refused(control, message))

    def _refused(self, control: Control, message: str) -> ControlResult:
        text = f"`{control.id}` was refused: {message}"
        self._decision.reports.append(Report("ControlRefused", text, warning=True))
        return ControlResult(id=control.id, date=self._decision.now, done=False, message=message)

    def _tell(self, control: Control, result: ControlResult) -> None:
        changes = self._decision.changes
        if kept := ControlSecrets(self._decision, control).keep():
            result = result.model_copy(update={"secret_inputs": kept})
        changes.controls = self._kept([*changes.controls, result])

    def _kept(self, results: list[ControlResult]) -> list[ControlResult]:
        asked = {control.id for control in self._decision.identity.controls}
        others = [result for result in results if result.id not in asked]
        forgotten = {result.id for result in others[:-_KEPT]}
        return [result for result in results if result.id not in forgotten]

    def _do(self, control: Control) -> str | None:
        kind = control.kind
        if kind is None:
            raise Refused("a control has exactly one of its fields beside `id`")
        do: Callable[[Control], str | None] = getattr(self, f"_{kind}")
        return do(control)

    def _pause(self, control: Control) -> None:
        self._must_be_open()
        self._decision.changes.paused = True

    def _force_run(self, control: Control) -> None:
        self._must_be_open()
        self.forced = True
        if self._decision.status.state is State.PAUSED:
            self._resume(Control(id=control.id, resume=ResumeRequest()))

    def _unqueue(self, control: Control) -> None:
        if self._decision.status.state is not State.QUEUED:
            raise Refused(f"the execution is {self._decision.status.state}, not QUEUED")
        self.forced = True

    def _labels(self, control: Control) -> None:
        labels = control.labels or {}
        if reserved := next((key for key in labels if key.startswith("system.")), None):
            raise Refused(f"the label `{reserved}` is the system's")
        self._decision.changes.labels = {**self._decision.changes.labels, **labels}

    def _change_status(self, control: Control) -> None:
        asked = control.change_status
        assert asked is not None
        self._must_have_ended()
        if asked.state not in END_STATES:
            raise Refused(f"{asked.state} is no end state")
        self.end_state = asked.state

    def _resume(self, control: Control) -> str | None:
        if self._decision.status.finished:
            self._must_be_open()
        asked = control.resume
        assert asked is not None
        decision = self._decision
        names_one = asked.task is not None or asked.task_run is not None
        held = [run for run in self._matching(asked) if self._is_held(run)]
        for run in held:
            self._let_go(run, asked, ControlSecrets(decision, control))
        passed = self._pass_breakpoints() if not names_one else False
        paused = decision.changes.paused and not names_one
        if paused:
            decision.changes.paused = False
        if not (held or passed or paused):
            raise Refused(
                f"the task {asked.task or asked.task_run} is not paused"
                if names_one
                else "nothing of the execution is paused"
            )
        return None

    def _let_go(self, run: TaskRun, asked: ResumeRequest, secrets: ControlSecrets) -> None:
        decision = self._decision
        task = decision.task_of(run)
        assert isinstance(task, Holding)
        evaluator = decision.evaluation.of_task_run(run, task)
        try:
            inputs = resolve_inputs(
                task.asked,
                asked.inputs,
                lambda template, known: evaluator.evaluate(template),
                secrets_by_name=decision.names_secrets,
            )
            going = task.resumed(run, asked, secrets.by_reference(task.asked, inputs))
        except (InvalidInputs, FlowableError) as error:
            raise Refused(str(error)) from None
        resumed = {"by": asked.by, "on": iso(decision.now), "to": "RUNNING"}
        outputs = {**(going.outputs or run.outputs or {}), "resumed": resumed}
        decision.run_index.move(run, State.RUNNING, next_attempt=None, outputs=outputs)

    def _is_held(self, run: TaskRun) -> bool:
        held = isinstance(self._decision.task_of(run), Holding)
        return held and run.state is State.PAUSED

    def _pass_breakpoints(self) -> bool:
        """Let through the tasks that wait at a breakpoint; all of them may start from now on."""
        decision = self._decision
        if decision.status.state is not State.BREAKPOINT:
            return False
        held = decision.status.at_breakpoints
        changes = decision.changes
        changes.passed_breakpoints = [*changes.passed_breakpoints, *held]
        return bool(held)

    def _restart(self, control: Control) -> str | None:
        decision = self._decision
        if decision.identity.killed:
            raise Refused("`spec.kill` is true: set it to false first")
        if decision.status.state is not State.PAUSED:
            self._must_have_ended()
        if not to_do_again(decision.compiled.tree, decision.run_index):
            raise Refused("No task found to restart execution from!")
        self._stop_handlers()
        restart(decision.compiled.tree, decision.run_index, decision.now)
        self._reopen()
        decision.changes.paused = False
        decision.changes.labels = {**decision.changes.labels, "system.restarted": "true"}
        return None

    def _mark_as(self, control: Control) -> str | None:
        asked = control.mark_as
        assert asked is not None
        decision = self._decision
        if asked.state not in END_STATES:
            raise Refused(f"{asked.state} is no end state")
        if decision.identity.killed:
            raise Refused("`spec.kill` is true: set it to false first")
        found = list(self._matching(asked))
        if len(found) != 1:
            raise Refused(
                f"{len(found)} task runs are meant: name one by `task` and `value`, or `taskRun`"
            )
        if not found[0].state.terminated:
            raise Refused(f"the task run is {found[0].state}: it has not ended")
        if found[0] in handlers(decision.compiled.tree, decision.run_index):
            raise Refused("errors, finally and afterExecution run anew: there is nothing to mark")
        self._stop_handlers()
        mark(decision.compiled.tree, decision.run_index, found[0], asked.state)
        self._reopen()
        return None

    def _replay(self, control: Control) -> str | None:
        asked = control.replay
        assert asked is not None
        decision = self._decision
        if (asked.task or asked.task_run) and not list(self._matching(asked)):
            raise Refused(f"there is no task run of {asked.task or asked.task_run}")
        flow = decision.compiled.tree.flow
        name = derived_name(decision.identity.name, "replay", control.id)
        try:
            inputs = ControlSecrets(decision, control).checked(flow.inputs, asked.inputs)
        except InvalidInput as error:
            raise Refused(str(error)) from None
        spec = ExecutionSpec(
            flow=FlowReference(
                namespace=flow.namespace,
                id=flow.id,
                revision=asked.revision or decision.identity.revision,
            ),
            inputs=inputs,
            trigger=decision.identity.trigger,
            priority=decision.identity.priority,
            replay=ReplayReference(
                execution=decision.identity.name,
                task=asked.task,
                value=asked.value,
                task_run=asked.task_run,
            ),
        )
        decision.started.append(StartExecution(name, spec, control=control.id))
        return f"made the execution {name}"

    def _stop_handlers(self) -> None:
        """Stop what runs of the handlers: they run anew."""
        decision = self._decision
        for run in handlers(decision.compiled.tree, decision.run_index):
            decision.leaving.stop(run)

    def _reopen(self) -> None:
        """Forget how the execution ended."""
        decision = self._decision
        decision.changes.restarts += 1
        if decision.status.state.terminated:
            changes = decision.changes
            changes.exit = changes.exit_reason = changes.violated_sla = None
            changes.paused = False
            self.reopened = True

    def _matching(self, asked: Any) -> Iterator[TaskRun]:
        """Find the task runs that a request means."""
        return (
            run
            for run in self._decision.run_index
            if (asked.task_run is None or run.id == asked.task_run)
            and (asked.task is None or run.task_id == asked.task)
            and (asked.value is None or run.value == asked.value)
        )

    def _must_be_open(self) -> None:
        if self._has_ended:
            raise Refused(f"the execution has ended {self._decision.status.state}")

    def _must_have_ended(self) -> None:
        if not self._has_ended:
            state = State.RESTARTED if self.reopened else self._decision.status.state
            raise Refused(f"the execution is {state}: it has not ended")

    @property
    def _has_ended(self) -> bool:
        return self._decision.status.state.terminated and not self.reopened


def _pending(decision: Decision) -> Iterator[Control]:
    handled = {result.id for result in decision.changes.controls}
    for control in decision.identity.controls:
        if control.id not in handled:
            handled.add(control.id)
            yield control
