"""All executions of one run on this machine: the loop that asks the engine, acts, and tells it.

The loop does what a cluster's API server and its watches do for the controller: an execution is
decided when something happened to it, to one that it made, or to one that held a place for which it
waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from penstock.engine.decision.ending import transitions_since
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import (
    Action,
    ControlExecution,
    KillExecution,
    Observation,
    Perform,
    StartAttempt,
    StartExecution,
    Step,
    StopAttempt,
)
from penstock.flow.document import Flow
from penstock.local.answers import Answering, Answers
from penstock.local.attempts import LocalAttempts, Place, RunTask, now
from penstock.local.clock import LocalClock
from penstock.local.commands import LocalCommands
from penstock.local.execution import LocalExecution
from penstock.local.flow_triggers import FlowTriggers
from penstock.local.flows import LocalFlows
from penstock.local.relations import Relations, file_records
from penstock.local.resource import Made
from penstock.local.surroundings import Surroundings
from penstock.local.watching import Audience
from penstock.resources.execution import Control, ExecutionSpec, ExecutionStatus, State
from penstock.types import expressions


class NothingLeft(Exception):
    """An execution is open although nothing can happen any more: a fault of Penstock."""


class LocalWorld:
    """Flows, and the executions that run on this machine."""

    def __init__(
        self,
        flows: LocalFlows,
        run_task: RunTask,
        audience: Audience,
        surroundings: Surroundings | None = None,
        answers: Answers | None = None,
        *,
        triggers: bool = True,
    ) -> None:
        self._flows = flows
        self._audience = audience
        self.surroundings = surroundings or Surroundings()
        self._answering = None if answers is None else Answering(answers)
        self._engines: dict[tuple[str, str], Engine] = {}
        self._executions: dict[str, LocalExecution] = {}
        self._relations = Relations()
        if self.surroundings.services is not None:
            self.surroundings.services.records = file_records(self._executions)
        self._due: dict[str, None] = {}
        self._attempts = LocalAttempts(run_task, self._on_fault)
        self.commands = LocalCommands(
            flows,
            self._executions,
            self.control,
            self._attempts.tell,
            self.surroundings.services,
        )
        self._triggers = (
            FlowTriggers(
                flows,
                self._executions,
                self.surroundings,
                self.commands.is_enabled,
                now(),
            )
            if triggers
            else None
        )
        """The Flow triggers of the flows; None where there are none."""
        self._clock: LocalClock | None = None
        self._is_open_ended = False
        self._stop_reason: str | None = None
        self._fault: Exception | None = None

    def __iter__(self) -> Iterator[LocalExecution]:
        """All executions, in the order in which they were made."""
        return iter(list(self._executions.values()))

    def __getitem__(self, name: str) -> LocalExecution:
        return self._executions[name]

    def start(self, spec: ExecutionSpec, name: str | None = None) -> LocalExecution:
        """Make an execution; where one of that name exists, give that one."""
        if name is not None and name in self._executions:
            return self._executions[name]
        asked = spec.flow
        made = Made.new(asked.id or "flow", name)
        label = f"{asked.namespace}.{asked.id}"
        maker = _maker(spec)
        watcher = self._audience.opened(made.name, label, maker)
        engine = self._engine(self._flows.get(asked.namespace or "", asked.id or ""))
        execution = LocalExecution(
            made.name, made.uid, made.created, spec, engine, self.surroundings, watcher
        )
        self._executions[made.name] = execution
        self._relations.add(execution)
        self._due[made.name] = None
        return execution

    def begin(self, spec: ExecutionSpec, name: str) -> LocalExecution:
        """Make an execution while the run goes on; where one of that name exists, give that
        one."""
        execution = self.start(spec, name)
        self._attempts.wake()
        return execution

    def stay_open(self) -> None:
        """Let the run go on where nothing is to do, until it is stopped: something outside begins
        executions."""
        self._is_open_ended = True

    def arm(self, told: Callable[[str], None]) -> LocalClock:
        """Let the triggers of the flows fire at their dates while the run goes on, which ends by
        itself once no date is left. `told` takes what is worth telling a person."""
        self._clock = LocalClock(
            self._flows,
            self._executions,
            self.surroundings,
            self.commands.is_enabled,
            told,
            now(),
        )
        return self._clock

    def control(self, name: str, control: Control) -> None:
        """Give an execution a control, as a person would."""
        self._executions[name].add(control)
        self._touch(name)

    def kill(self, name: str) -> None:
        """Ask an execution to end, as a person would."""
        self._executions[name].kill()
        self._touch(name)

    def stop(self, reason: str) -> None:
        """Kill all attempts; executions that are open end KILLED for that reason."""
        self._stop_reason = self._stop_reason or reason
        self._attempts.wake()

    async def run(self, timeout: timedelta | None = None) -> None:
        """Run until all executions have ended, or wait for somebody.

        Raises :class:`NothingLeft`, and whatever the audience raised.
        """
        timer: asyncio.TimerHandle | None = None
        if timeout is not None:
            seconds = timeout.total_seconds()
            reason = f"killed: it ran longer than the timeout of {seconds:g}s"
            timer = asyncio.get_running_loop().call_later(seconds, self.stop, reason)
        try:
            await self._live()
        finally:
            await self._attempts.end_all()
            if timer is not None:
                timer.cancel()
        if self._fault is not None:
            raise self._fault
        self._close()

    async def _live(self) -> None:
        while self._stop_reason is None:
            while self._due and self._stop_reason is None:
                name = next(iter(self._due))
                del self._due[name]
                self._decide(self._executions[name])
            if self._fire_triggers():
                continue
            wakes = [item.wake for item in self]
            wakes.append(self.next_date)
            wake = min((date for date in wakes if date is not None), default=None)
            if not self._attempts.busy and wake is None and not self._is_open_ended:
                return
            for seen in await self._attempts.happened(wake):
                self._executions[seen.execution].observe(seen.key, seen.observation)
                self._due[seen.execution] = None
            self._due |= {item.name: None for item in self if _is_due(item, now())}

    def _fire_triggers(self) -> bool:
        """Start what is due by the clock. Tells whether something was."""
        if self._clock is None:
            return False
        started = list(self._clock.due(now()))
        if self._triggers is not None:
            started += self._triggers.missed(now())
        for action in started:
            self.start(action.spec, action.name)
        return bool(started)

    @property
    def next_date(self) -> datetime | None:
        """When a trigger is due next, or a Flow trigger may have waited in vain; None where there
        is no such date, or `arm` was not called."""
        if self._clock is None:
            return None
        deadline = None if self._triggers is None else self._triggers.next_deadline(now())
        dates = (self._clock.next_date, deadline)
        return min((date for date in dates if date is not None), default=None)

    def _close(self) -> None:
        """End the open executions where the run was stopped; else check that each waits for
        somebody."""
        still = [execution for execution in self if not execution.finished]
        if self._stop_reason is not None:
            for execution in still:
                execution.end_by(self._stop_reason, now())
        elif still and not any(execution.for_somebody for execution in still):
            words = ", ".join(f"{item.name} is {item.status.state}" for item in still)
            raise NothingLeft(f"{words}, and nothing runs")

    def _decide(self, execution: LocalExecution) -> None:
        date, before = now(), execution.status
        step = execution.decide(
            date,
            self._relations.children(execution),
            self._relations.turn(execution, date),
            self._source(execution),
        )
        if execution.status == before:
            self._take(execution, step)
            return
        # An end is told before what follows from it.
        execution.watcher.changed(execution.status)
        self._take(execution, step)
        if step.wake is not None and step.wake <= date:
            self._due[execution.name] = None
        self._due |= {other.name: None for other in self._relations.concerned(execution, date)}
        self._tell_triggers(execution, before)
        self.commands.noticed(execution)
        if self._answering is not None:
            for control in self._answering.to(execution):
                self.control(execution.name, control)

    def _tell_triggers(self, execution: LocalExecution, before: ExecutionStatus) -> None:
        """Let Flow triggers see each state that an execution has come into."""
        if self._triggers is None:
            return
        for step in transitions_since(before, execution.status):
            for action in self._triggers.reached(execution, step):
                self._act(execution, action)

    def _take(self, execution: LocalExecution, step: Step) -> None:
        for action in step.actions:
            self._act(execution, action)
        for report in step.reports:
            execution.watcher.reported(report)

    def _act(self, execution: LocalExecution, action: Action) -> None:
        match action:
            case StopAttempt():
                self._attempts.stop(execution.name, action.key)
            case StartAttempt() if not execution.knows(action.key):
                assert execution.flow is not None
                execution.observe(action.key, Observation(State.CREATED))
                place = Place(execution.identity, execution.flow)
                self._attempts.start(place, action, execution.watcher)
            case Perform() if not execution.knows(action.key):
                execution.observe(action.key, Observation(State.CREATED))
                self.commands.perform(execution.name, action)
            case StartExecution():
                self.start(action.spec, action.name)
            case ControlExecution():
                self.control(action.name, action.control)
            case KillExecution():
                self.kill(action.name)

    def _touch(self, name: str) -> None:
        self._due[name] = None
        self._attempts.wake()

    def _source(self, execution: LocalExecution) -> ExecutionStatus | None:
        replay = execution.spec.replay
        return None if replay is None else self._executions[replay.execution].status

    def _engine(self, flow: Flow | None) -> Engine | None:
        if flow is None:
            return None
        key = (flow.namespace, flow.id)
        if key not in self._engines:
            functions = self.surroundings.functions
            self._engines[key] = Engine(flow, expressions(), functions=functions)
        return self._engines[key]

    def _on_fault(self, fault: Exception) -> None:
        self._fault = self._fault or fault
        self.stop("killed: the output of the run can't be written any more")


def _is_due(execution: LocalExecution, date: datetime) -> bool:
    return execution.wake is not None and execution.wake <= date


def _maker(spec: ExecutionSpec) -> str | None:
    """The name of the execution because of which another is made; None where there is none."""
    if spec.parent is not None and spec.retry is None:
        return spec.parent.execution
    if spec.retry is not None:
        return spec.retry.original
    if spec.replay is not None:
        return spec.replay.execution
    caller = spec.trigger.variables.get("executionId") if spec.trigger is not None else None
    return None if caller is None else str(caller)
