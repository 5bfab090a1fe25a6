"""One trigger at work: its source is opened or asked, and each event becomes an Execution.

Whatever fails is reported, and tried again later and later. Nothing is acknowledged to the source
before the gateway has said that the Executions are stored; with the gateway away, the trigger holds
back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from penstock.listener.backoff import Backoff
from penstock.listener.files import EventFiles, Spool
from penstock.listener.gateway import Assigned, Gateway, GatewayAway, NotThere, Refused, StorageAway
from penstock.listener.rendering import Renderer, Secrets
from penstock.listener.reports import Reports
from penstock.listener.source import (
    Delivery,
    Event,
    NotNow,
    Polled,
    Rejectable,
    SourceError,
    Surroundings,
)
from penstock.resources.names import label_value, short_hash
from penstock.triggers.kinds import PollTrigger, SourceTrigger
from penstock.triggers.properties import TriggerProperties

POISON_TRIES = 5
"""How often an event is tried that can't be read, or that the gateway refuses for good, before it
is put aside: its flow may be mended meanwhile."""
_SHORTEST_INTERVAL = 1.0
"""Seconds between two questions of a poll trigger, whatever its `interval` says."""
_RUNS = 1.0
"""Seconds after which it is asked again whether an Execution has ended, from the first to…"""
_RUNS_LONG = 15.0
_QUIET = 30.0
"""Seconds of work after which a source that fails counts as failing for the first time."""

logger = logging.getLogger(__name__)


@runtime_checkable
class Withheld(Protocol):
    """A delivery that is not acknowledged where the trigger's conditions pass all of it over."""

    async def pass_over(self) -> None:
        """Let it be delivered at another time. May raise :class:`NotNow`."""
        ...


@dataclass(frozen=True)
class Workshop:
    """What all triggers are served with."""

    namespace: str
    gateway: Gateway
    renderer: Renderer
    secrets: Secrets
    reports: Reports
    spool: Spool = field(default_factory=Spool)


class TriggerRun:
    """Serves one trigger until cancelled."""

    def __init__(self, assigned: Assigned, memory: Any, shop: Workshop) -> None:
        self._assigned = assigned
        self._memory = memory
        self._shop = shop
        self._backoff = Backoff()
        name = f"{shop.namespace}/{assigned.flow}/{assigned.trigger}"
        self._logger = logging.getLogger(f"penstock.listener.{assigned.flow}.{assigned.trigger}")
        self._surroundings = Surroundings(label_value(f"penstock.{name}"), self._logger)

    async def run(self) -> None:
        """Serve it, again and again. An error of a driver ends no other trigger's work."""
        while True:
            began = time.monotonic()
            try:
                await self._serve()
            except NotThere as gone:
                # The list of triggers tells of it in a moment, and ends this.
                self._logger.info("%s", gone)
            except SourceError as error:
                self._fails(str(error))
            except Exception as error:
                self._logger.exception("the source failed")
                self._fails(f"{type(error).__name__}: {error}")
            if time.monotonic() - began > _QUIET:
                self._backoff.reset()
            await self._backoff.wait()

    async def _serve(self) -> None:
        if self._assigned.problem is not None:
            raise SourceError(self._assigned.problem)
        # Rendering may take half a second of CPU, and others work meanwhile.
        kind, properties = await asyncio.to_thread(self._shop.renderer.read, self._assigned)
        driver = _driver(kind)
        if isinstance(kind, PollTrigger):
            await self._poll(driver, properties)
        else:
            await self._listen(driver, properties)
            raise SourceError("the source has ended its connection")

    async def _listen(self, driver: Any, properties: TriggerProperties) -> None:
        async with driver(properties, self._surroundings) as source:
            self._works()
            async for delivery in source.deliveries():
                await self._deliver(delivery)

    async def _poll(self, driver: Any, properties: TriggerProperties) -> None:
        interval = max(properties.interval.total_seconds(), _SHORTEST_INTERVAL)  # type: ignore[attr-defined]
        told = _memory_of(self._memory, self._assigned)
        if told is not None:
            self._shop.reports.remembers(self._assigned.place, self._memory)
        while True:
            began = time.monotonic()
            polled = await driver(properties, told, self._surroundings)
            self._works()
            with suppress(NotNow):
                made = await self._take_in(polled, told)
                told = polled.cursor
                if not properties.allow_concurrent:
                    await self._ended(made)
            await asyncio.sleep(max(interval - (time.monotonic() - began), 0.0))

    async def _take_in(self, polled: Polled, before: Any) -> Sequence[str]:
        """Let Executions be made of what was found: their names. Where the listener ends meanwhile,
        it goes on with what was stored as under way."""
        made: list[str] = []
        waiting = list(polled.deliveries)
        try:
            if polled.under_way not in (None, before):
                self._remember(polled.under_way)
                await self._shop.reports.tell_of(self._assigned.place)
            while waiting:
                made += await self._deliver(waiting.pop(0))
        except BaseException:
            await _whole(_given_back(waiting))
            raise
        if polled.cursor != before or polled.under_way is not None:
            self._remember(polled.cursor)
        return made

    def _remember(self, cursor: Any) -> None:
        self._memory = {"of": _identity(self._assigned), "cursor": cursor}
        self._shop.reports.remembers(self._assigned.place, self._memory)

    async def _deliver(self, delivery: Delivery) -> Sequence[str]:
        """Let Executions be made of a delivery's events, and acknowledge it: their names. Whatever
        comes between gives it back, which may fail where the connection is what failed.

        An end that was begun is not broken off: an event whose Execution is stored would come
        again."""
        made, is_refused = [], False
        try:
            for event in delivery.events:
                try:
                    name = await self._hand_over(event)
                except Refused as error:
                    is_refused = True
                    told = self._shop.secrets.masked(str(error))
                    self._logger.warning("event %s is put aside: %s", event.key, told)
                    self._shop.reports.put_aside(self._assigned.place, event.key, told)
                else:
                    made += [] if name is None else [name]
        except BaseException:
            await _whole(_given_back([delivery]))
            raise
        if is_refused and isinstance(delivery, Rejectable) and len(delivery.events) == 1:
            await _whole(delivery.reject())
        elif not made and not is_refused and isinstance(delivery, Withheld):
            await _whole(delivery.pass_over())
        else:
            await _whole(delivery.acknowledge())
        return made

    async def _hand_over(self, event: Event) -> str | None:
        """Hand an event over, however long that takes. Raises :class:`Refused` after some tries,
        and :class:`NotThere`."""
        away, refused = Backoff(), Backoff(first=1.0)
        tries, is_told = 0, False
        files = EventFiles(self._shop.gateway, self._assigned, event, self._shop.spool)
        while True:
            try:
                made = await self._try(event, files)
            except StorageAway as error:
                # Nobody else tells of a namespace that has no room left.
                is_told = True
                self._fails(f"the files of event {event.key} wait: {error}")
                await away.wait(error.retry_after)
            except GatewayAway as error:
                self._logger.info("event %s waits: %s", event.key, error)
                await away.wait(error.retry_after)
            except Refused as error:
                tries += 1
                if tries >= POISON_TRIES:
                    raise
                left = f"tried {tries} of {POISON_TRIES} times, and put aside then"
                self._fails(f"no Execution can be made of {event.key}: {error} ({left})")
                await refused.wait()
            else:
                if tries or is_told:
                    self._works()
                return made

    async def _try(self, event: Event, files: EventFiles) -> str | None:
        if event.problem is not None:
            raise Refused(event.problem)
        variables = await files.variables()
        return await self._shop.gateway.hand_over(self._assigned, event.key, variables)

    async def _ended(self, executions: Sequence[str]) -> None:
        """Wait until Executions have ended: without `allowConcurrent` one runs at a time."""
        for name in executions:
            pause = Backoff(_RUNS, _RUNS_LONG)
            while True:
                try:
                    if await self._shop.gateway.has_ended(name):
                        break
                except GatewayAway as error:
                    self._logger.info("%s", error)
                await pause.wait()

    def _works(self) -> None:
        self._shop.reports.works(self._assigned.place)

    def _fails(self, why: str) -> None:
        told = self._shop.secrets.masked(why)
        self._logger.warning("%s", told)
        self._shop.reports.fails(self._assigned.place, told)


async def _given_back(deliveries: Sequence[Delivery]) -> None:
    """Give all of them back. Where the connection is gone, the source knows."""
    for delivery in deliveries:
        with suppress(Exception):
            await delivery.give_back()


async def _whole(ending: Coroutine[Any, Any, None]) -> None:
    """Wait for the end of a delivery, also where the trigger is cancelled meanwhile."""
    task = asyncio.ensure_future(ending)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise


def _driver(kind: SourceTrigger) -> Any:
    """Import the driver of a type. Raises :class:`SourceError` where its library is not there."""
    module, _, function = kind.driver.partition(":")
    try:
        return getattr(import_module(module), function)
    except ImportError as error:
        raise SourceError(
            f"the image of the listener lacks what {kind.name} needs: {error}"
        ) from None


def _identity(assigned: Assigned) -> str:
    """Tell a trigger as it is written from every other: with other properties it asks for something
    else, and begins anew."""
    return short_hash(assigned.type, sorted((assigned.properties or {}).items()))


def _memory_of(memory: Any, assigned: Assigned) -> Any:
    is_own = isinstance(memory, dict) and memory.get("of") == _identity(assigned)
    return memory.get("cursor") if is_own else None
