"""What serves triggers: one server for each kind of them, behind one protocol.

The reconciler of TriggerStates reads the objects and writes the status. A server is asked in
between: it has what is due started, and says what is known then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pydantic import ValidationError

from penstock.cluster.firings import execution_name
from penstock.controller.flows.revisions import AcceptedFlow
from penstock.engine.interface.actions import Report
from penstock.flow.document import Flow, Trigger
from penstock.kubernetes.api.client import Object
from penstock.resources.trigger_state import TriggerPhase, TriggerStateSpec, TriggerStateStatus
from penstock.triggers.firing import Firing
from penstock.triggers.kinds import TriggerType
from penstock.triggers.properties import TriggerProperties
from penstock.triggers.registry import find


class NotServed(Exception):
    """Nothing is started for a trigger; the text says why."""


@dataclass(frozen=True)
class TriggerAtWork:
    """An enabled trigger of an accepted flow, and what is known of it."""

    accepted: AcceptedFlow
    flow: Flow
    trigger: Trigger
    kind: TriggerType
    properties: TriggerProperties
    state: Object
    """The TriggerState."""
    spec: TriggerStateSpec
    before: TriggerStateStatus
    """The status as it was last written, without dates where those do not count any more: of a
    trigger that was disabled until now, or whose plan is another."""
    executions: Sequence[Object]
    """The Executions that it started, as far as they are kept."""

    def has_started(self, firing: Firing) -> bool:
        """Tell whether the Execution of a firing is there: it was made before the controller could
        write that down."""
        meta = self.accepted.body["metadata"]
        name = execution_name(meta["name"], self.flow.id, self.trigger.id, firing.key)
        return any(body["metadata"]["name"] == name for body in self.executions)


@dataclass(frozen=True)
class Served:
    """What came of serving a trigger."""

    phase: TriggerPhase
    """How it is: `Armed`, `Waiting`, `Failing` or `Ended`."""
    status: TriggerStateStatus
    """What to write, but for the phase and the conditions."""
    look_again: datetime | None = None
    """When to serve it again where nothing happens before."""
    reports: Sequence[Report] = field(default=())
    """What Events tell of it."""
    stopped: bool = False
    """Whether it disables itself: its spec is to say so before the status does."""


class TriggerServer(Protocol):
    """Serves the triggers of one kind."""

    def plan(self, kind: TriggerType, properties: TriggerProperties) -> str | None:
        """Say in words what the dates of a trigger follow from."""
        ...

    async def serve(self, work: TriggerAtWork, now: datetime) -> Served:
        """Have started what a trigger calls for now. It is called again, with the same status
        before, where the controller ended before the new one was written."""
        ...


class TriggerServers:
    """Finds what serves a trigger."""

    def __init__(
        self,
        servers: dict[type[TriggerType], TriggerServer],
        reconciled: Callable[[Object], None] = lambda state: None,
    ) -> None:
        """``reconciled`` is told of each TriggerState once its status is written."""
        self._servers = servers
        self.reconciled = reconciled

    def find(self, trigger: Trigger) -> tuple[TriggerServer, TriggerType, TriggerProperties]:
        """Find what serves a trigger, with its kind and its properties. Raises
        :class:`NotServed`."""
        kind = find(trigger.type)
        server = None if kind is None else self._servers.get(type(kind))
        if kind is None or server is None or not kind.served:
            raise NotServed(f"triggers of type {trigger.type} are not served yet")
        try:
            properties = kind.model.model_validate(trigger.properties)
        except ValidationError as error:
            raise NotServed("; ".join(line["msg"] for line in error.errors())) from None
        if properties.not_served is not None:
            raise NotServed(properties.not_served)
        return server, kind, properties
