"""Poll and stream triggers of `penstock run --triggers`: the listener's own code, with this run in
the place of the gateway."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

from penstock.cluster.firings import execution_name
from penstock.expressions import Allowance, ExpressionError, spending
from penstock.flow.document import Flow, Trigger
from penstock.listener.gateway import Assigned, Gateway, Listing, NotThere, Place, Refused
from penstock.listener.rendering import Renderer, Secrets
from penstock.listener.reports import Reports
from penstock.listener.sources.addresses import REFUSED_VARIABLE
from penstock.listener.supervisor import Supervisor
from penstock.listener.trigger_run import Workshop
from penstock.local.flows import LocalFlows
from penstock.local.secrets import SecretMissing
from penstock.local.secrets import Secrets as MachineSecrets
from penstock.local.trigger_context import trigger_context
from penstock.local.world import LocalWorld
from penstock.resources.execution import ExecutionSpec, FlowReference, TriggerReference
from penstock.resources.listener_report import ListenerReport
from penstock.storage.arrivals import arrival_path
from penstock.storage.errors import StorageError
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace, uri_of
from penstock.triggers.evaluation import ConditionError
from penstock.triggers.properties import TriggerProperties
from penstock.triggers.sources import event_firing, for_listener, source_type, why_not_served

Told = Callable[[str], None]
_REPORTS_EVERY = 0.2
_SECONDS = 1.0
_CHARACTERS = 4 * 1024 * 1024


@dataclass(frozen=True)
class _Armed:
    """A trigger that is listened for."""

    flow: Flow
    trigger: Trigger
    properties: TriggerProperties

    @property
    def name(self) -> str:
        return f"{self.flow.namespace}.{self.flow.id}, trigger {self.trigger.id}"

    def execution(self, key: str) -> str:
        """The name of the execution of an event."""
        whose = f"{self.flow.namespace}.{self.flow.id}"
        return execution_name(whose, self.flow.id, self.trigger.id, key)


class LocalGateway(Gateway):
    """What the gateway is to a listener, on this machine: events become executions of the run."""

    def __init__(
        self,
        flows: LocalFlows,
        world: LocalWorld,
        storage: Storage,
        told: Told,
    ) -> None:
        """`told` takes what is worth telling a person."""
        self._world = world
        self._storage = storage
        self._told = told
        self._failing: dict[tuple[str, str], str] = {}
        self.armed = {
            (f"{flow.namespace}.{flow.id}", trigger.id): armed
            for flow in flows
            if not flow.disabled
            for trigger in flow.triggers
            if (armed := self._arm(flow, trigger)) is not None
        }

    def _arm(self, flow: Flow, trigger: Trigger) -> _Armed | None:
        """Arm a trigger; None where no listener serves it."""
        kind = source_type(trigger.type)
        if kind is None:
            return None
        properties = kind.model.model_validate(trigger.properties, context={})
        armed = _Armed(flow, trigger, properties)
        problem = why_not_served(trigger, properties)
        if problem is not None:
            self._told(f"{armed.name}: {problem}")
            return None
        return armed

    async def triggers(self, revision: str) -> Listing | None:
        if revision:
            await asyncio.Event().wait()  # the flows of a run stay as they are
        assigned = []
        for (flow, trigger), armed in self.armed.items():
            now = datetime.now(UTC)
            seen = trigger_context(armed.flow, now, self._world.surroundings).variables
            given = for_listener(armed.trigger.properties)
            assigned.append(Assigned(flow, trigger, armed.trigger.type, given, seen))
        return Listing("1", assigned, {})

    async def hand_over(
        self, assigned: Assigned, key: str, variables: Mapping[str, Any]
    ) -> str | None:
        armed = self._enabled(assigned)
        now = datetime.now(UTC)
        context = trigger_context(armed.flow, now, self._world.surroundings)
        allowance = Allowance(_SECONDS, _CHARACTERS, "its expressions take too long", shared=True)
        with spending(allowance):
            try:
                firing = event_firing(armed.properties, key, variables, context, now)
            except ConditionError as error:
                raise Refused(f"its conditions can't be told: {error}") from None
        if firing is None:
            return None
        if not firing.has_inputs:
            raise Refused("; ".join(firing.problems))
        for problem in firing.problems:
            self._told(f"{armed.name}: {problem}")
        spec = ExecutionSpec(
            flow=FlowReference(namespace=armed.flow.namespace, id=armed.flow.id),
            inputs=dict(firing.inputs),
            labels=dict(firing.labels),
            trigger=TriggerReference(
                id=armed.trigger.id, type=armed.trigger.type, variables=dict(firing.variables)
            ),
        )
        return self._world.begin(spec, armed.execution(key)).name

    async def place(self, assigned: Assigned, key: str, name: str, size: int, digest: str) -> Place:
        armed = self._enabled(assigned)
        execution = ExecutionPlace(armed.flow.namespace, armed.flow.id, armed.execution(key))
        try:
            path = arrival_path(execution, name)
            return Place(uri_of(path), path, "")
        except StorageError as error:
            raise Refused(str(error)) from None

    async def put(self, place: Place, content: BinaryIO, size: int) -> None:
        await asyncio.to_thread(self._storage.put, place.url, content)

    async def report(self, place: tuple[str, str], report: ListenerReport) -> None:
        """Tell a person what fails, once."""
        why = report.message if report.failing or report.put_aside else ""
        if why and self._failing.get(place) != why:
            self._told(f"{self.armed[place].name}: {why}")
        self._failing[place] = why

    async def has_ended(self, execution: str) -> bool:
        return self._world[execution].finished

    def _enabled(self, assigned: Assigned) -> _Armed:
        """Find a trigger. Raises :class:`NotThere` where it is disabled, perhaps by a task."""
        armed = self.armed[assigned.place]
        flow, trigger = armed.flow, armed.trigger
        toggled = self._world.commands.is_enabled(flow.namespace, flow.id, trigger.id)
        if not (not trigger.disabled if toggled is None else toggled):
            raise NotThere("the trigger is disabled")
        return armed


class LocalSecrets(Secrets):
    """The secrets of this machine, as triggers read them."""

    def __init__(self, secrets: MachineSecrets) -> None:
        super().__init__({})
        self._secrets = secrets

    def get(
        self, flow: str, key: str, namespace: str | None = None, subkey: str | None = None
    ) -> str:
        try:
            return self._secrets.get(key, subkey)
        except SecretMissing as error:
            raise ExpressionError(str(error)) from None

    def masked(self, text: str) -> str:
        return self._secrets.mask(text)


@asynccontextmanager
async def listening(gateway: LocalGateway, machine: MachineSecrets) -> AsyncIterator[None]:
    """Serve the triggers of a run while the block runs."""
    # Here, as for tasks of a run, no network is refused: whose machine it is says what is asked.
    os.environ.setdefault(REFUSED_VARIABLE, "")
    # What fails is told by the reports.
    logging.getLogger("penstock.listener").addHandler(logging.NullHandler())
    secrets = LocalSecrets(machine)
    reports = Reports(gateway, _REPORTS_EVERY)
    shop = Workshop("local", gateway, Renderer(secrets), secrets, reports)
    work = asyncio.create_task(Supervisor(shop).run())
    try:
        yield
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
