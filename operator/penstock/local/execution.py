"""One execution on this machine: its spec, its status, and the next decision about it.

The status lives in memory only. The world around it (:mod:`penstock.local.world`) does what the
engine asks for.
"""

from __future__ import annotations

from datetime import datetime

from penstock.engine.decision.ending import refuse
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import AttemptKey, Children, Observation, Step
from penstock.engine.interface.identity import Identity, identity_of
from penstock.engine.interface.turn import Turn
from penstock.flow.document import Flow
from penstock.local.ending import killed
from penstock.local.surroundings import Surroundings
from penstock.local.watching import Watcher
from penstock.resources.execution import (
    Control,
    ExecutionSpec,
    ExecutionStatus,
    PinnedFlow,
    State,
    Transition,
)

_WAITING = (State.CREATED, State.QUEUED)
_FOR_SOMEBODY = (State.PAUSED, State.BREAKPOINT)


class LocalExecution:
    """An execution: a spec and a status under a name."""

    def __init__(
        self,
        name: str,
        uid: str,
        created: datetime,
        spec: ExecutionSpec,
        engine: Engine | None,
        surroundings: Surroundings,
        watcher: Watcher,
    ) -> None:
        self.name = name
        self.uid = uid
        self.created = created
        self.spec = spec
        self.watcher = watcher
        self.status = ExecutionStatus()
        self.begun = False
        """Whether the engine has decided about the execution."""
        self.wake: datetime | None = None
        """When to decide again although nothing happened."""
        self.refusal: str | None = None
        """The reason, in one word, why the execution was refused before anything of it ran."""
        self._engine = engine
        self._surroundings = surroundings
        self._seen: dict[AttemptKey, Observation] = {}

    @property
    def identity(self) -> Identity:
        """The execution's identity for the engine, by its present spec."""
        around = self._surroundings
        return identity_of(
            self.name,
            self.uid,
            self.created,
            self.spec,
            environment=around.environment,
            variables=around.variables,
        )

    @property
    def flow(self) -> Flow | None:
        """The flow of the execution; None where it was not found."""
        return None if self._engine is None else self._engine.flow

    @property
    def finished(self) -> bool:
        return self.status.finished

    @property
    def holds(self) -> bool:
        """Whether the execution takes a place of its flow's `concurrency`."""
        return self.begun and self.status.state not in _WAITING and not self.status.state.terminated

    def waits(self, now: datetime) -> bool:
        """Whether the execution would run now if its flow had a free place."""
        date = self.spec.schedule_date
        scheduled = self.status.state is State.CREATED and date is not None and date > now
        return self.status.state in _WAITING and not scheduled

    @property
    def for_somebody(self) -> bool:
        """Whether the execution stands still until a person resumes it."""
        return self.status.state in _FOR_SOMEBODY

    def add(self, control: Control) -> None:
        """Add a control, once."""
        if all(other.id != control.id for other in self.spec.controls):
            controls = [*self.spec.controls, control]
            self.spec = self.spec.model_copy(update={"controls": controls})

    def kill(self) -> None:
        """Ask the execution to end."""
        self.spec = self.spec.model_copy(update={"kill": True})

    def observe(self, key: AttemptKey, seen: Observation) -> None:
        """Note a change of an attempt for the next decision."""
        known = self._seen.get(key)
        if known is None or not known.state.terminated:
            self._seen[key] = seen

    def knows(self, key: AttemptKey) -> bool:
        """Whether an attempt has begun and its end was not told yet."""
        return key in self._seen

    def decide(
        self, now: datetime, children: Children, turn: Turn, source: ExecutionStatus | None
    ) -> Step:
        """Let the engine decide, and keep the status."""
        if self._engine is None:
            step = self._refused(now)
        elif not self.begun:
            step = self._engine.begin(self.identity, self.spec, now, turn, source)
        else:
            step = self._engine.advance(
                self.identity, self.status, self._seen, now, children=children, turn=turn
            )
        self.begun = True
        self._seen = {key: seen for key, seen in self._seen.items() if not seen.state.terminated}
        self.refusal = step.refusal or self.refusal
        self.status = step.status
        # What was due and did not happen waits for something else than the time.
        self.wake = step.wake if step.wake is not None and step.wake > now else None
        return step

    def end_by(self, reason: str, now: datetime) -> None:
        """End the execution at once, for a reason from outside."""
        self.status = killed(self.status, reason, now)
        self.begun, self.wake = True, None
        self.watcher.changed(self.status)

    def _refused(self, now: datetime) -> Step:
        asked = self.spec.flow
        pinned = PinnedFlow(namespace=asked.namespace or "", id=asked.id or "")
        created = Transition(state=State.CREATED, date=now)
        status = ExecutionStatus(history=[created], flow=pinned, start_date=now)
        message = (
            f"Unable to find flow '{asked.namespace}'.'{asked.id}': give its file with `--flow`"
        )
        return refuse(status, "FlowNotFound", message, now)
