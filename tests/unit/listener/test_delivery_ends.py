"""Every delivery has one end: it is acknowledged, given back or rejected, once, whatever happens
to its trigger meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from types import ModuleType
from typing import Any

import pytest

from penstock.flow.model import DurationProperty
from penstock.listener import backoff, trigger_run
from penstock.listener.gateway import Assigned, GatewayAway, NotThere, Refused
from penstock.listener.rendering import Renderer, Secrets
from penstock.listener.reports import Reports
from penstock.listener.source import Event, Polled, SourceError, Surroundings
from penstock.listener.trigger_run import TriggerRun, Workshop
from penstock.triggers import registry
from penstock.triggers.kinds import PollTrigger, StreamTrigger
from penstock.triggers.properties import TriggerProperties

PLACE = ("depot", "it")
STREAM, POLL = "com.company.Belt", "com.company.Crate"
ANSWERS = (
    GatewayAway("it is rolled out"),
    Refused("its inputs can't be rendered"),
    NotThere("it is disabled"),
    RuntimeError("a library's own error"),
    None,
)
"""What the gateway may say, beside that an Execution is stored."""


class Shelf(TriggerProperties):
    """Has parcels."""

    interval: DurationProperty = timedelta(milliseconds=1)
    """How often to look."""


@dataclass
class Parcel:
    """A delivery, which takes a moment to be ended; the connection may break then."""

    key: str
    shelf: Parcels
    problem: str | None = None
    is_broken: bool = False

    @property
    def events(self) -> Sequence[Event]:
        return (Event(self.key, {}, problem=self.problem),)

    async def acknowledge(self) -> None:
        await self._end("acknowledged")

    async def give_back(self) -> None:
        await self._end("given back")

    async def _end(self, how: str) -> None:
        self.shelf.begun.append(self.key)
        await asyncio.sleep(self.shelf.ending_takes)
        if self.is_broken:
            raise SourceError("the connection is gone")
        self.shelf.ended.append((self.key, how))


class Returnable(Parcel):
    """A delivery of a source that keeps what was rejected."""

    async def reject(self) -> None:
        await self._end("rejected")


@dataclass
class Parcels:
    """A source of parcels, and a gateway for them."""

    choice: Random = field(default_factory=lambda: Random(0))
    faults: float = 0.0
    """The share of what goes wrong."""
    ending_takes: float = 0.0
    made: list[Parcel] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    """The parcels whose end has begun, in this order."""
    ended: list[tuple[str, str]] = field(default_factory=list)
    pause: asyncio.Event = field(default_factory=asyncio.Event)
    """Whoever waits for a next try waits for this."""

    def parcel(self) -> Parcel:
        kind = self.choice.choice((Parcel, Returnable))
        key = str(len(self.made))
        problem = f"{key} is not JSON" if self._goes_wrong() else None
        self.made.append(kind(key, self, problem, self._goes_wrong()))
        return self.made[-1]

    def _goes_wrong(self) -> bool:
        return self.choice.random() < self.faults

    @asynccontextmanager
    async def stream(self, properties: Shelf, surroundings: Surroundings) -> AsyncIterator[Any]:
        yield self

    async def deliveries(self) -> AsyncIterator[Parcel]:
        while True:
            await asyncio.sleep(0)
            if self._goes_wrong():
                raise SourceError("the source is away")
            yield self.parcel()

    async def poll(self, properties: Shelf, cursor: Any, surroundings: Surroundings) -> Polled:
        await asyncio.sleep(0)
        return Polled([self.parcel() for _ in range(self.choice.randint(0, 3))], len(self.made))

    async def hand_over(
        self, assigned: Assigned, key: str, variables: Mapping[str, Any]
    ) -> str | None:
        await asyncio.sleep(0)
        answer = self.choice.choice(ANSWERS) if self._goes_wrong() else f"run-{key}"
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def has_ended(self, execution: str) -> bool:
        return True

    def start(self, type: str) -> asyncio.Task[None]:
        secrets, gateway = Secrets({}), self
        self.reports = Reports(gateway)  # type: ignore[arg-type]
        shop = Workshop("team", gateway, Renderer(secrets), secrets, self.reports)  # type: ignore[arg-type]
        return asyncio.create_task(TriggerRun(Assigned(*PLACE, type), None, shop).run())

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.001)


@pytest.fixture
def parcels(monkeypatch: pytest.MonkeyPatch) -> Parcels:
    """Parcels for both kinds of triggers; whoever waits for a second waits for a thousandth."""
    made = Parcels()
    made.pause.set()
    module = ModuleType("a_driver_of_parcels")
    module.stream, module.poll = made.stream, made.poll  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    kinds = (
        StreamTrigger(STREAM, Shelf, served=True, driver=f"{module.__name__}:stream"),
        PollTrigger(POLL, Shelf, served=True, driver=f"{module.__name__}:poll"),
    )
    monkeypatch.setattr(registry, "_foreign_types", lambda: kinds)
    monkeypatch.setattr(trigger_run, "_SHORTEST_INTERVAL", 0.001)

    async def soon(seconds: float) -> None:
        await made.pause.wait()
        await asyncio.sleep(seconds / 1000)

    monkeypatch.setattr(backoff, "sleep", soon)
    return made


async def stopped(work: asyncio.Task[None]) -> None:
    """The end of a trigger: its flow was changed, or the listener got a SIGTERM."""
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


@pytest.mark.parametrize("type", [STREAM, POLL])
@pytest.mark.parametrize("seed", range(25))
async def test_every_delivery_has_one_end_whatever_happens(
    parcels: Parcels, type: str, seed: int
) -> None:
    # given a source and a gateway of which anything may fail
    parcels.choice = Random(seed)
    parcels.faults = parcels.choice.choice((0.05, 0.3))
    parcels.ending_takes = parcels.choice.choice((0.0, 0.002))
    work = parcels.start(type)
    await parcels.until(lambda: len(parcels.made) >= parcels.choice.randint(1, 12))

    # when it is stopped anywhere
    for _ in range(parcels.choice.randint(0, 30)):
        await asyncio.sleep(0)
    await stopped(work)

    # then
    assert Counter(parcels.begun) == Counter(parcel.key for parcel in parcels.made)
    sound = {parcel.key for parcel in parcels.made if not parcel.is_broken}
    assert {key for key, _ in parcels.ended} == sound


@pytest.mark.parametrize("type", [STREAM, POLL])
async def test_what_is_being_acknowledged_when_a_trigger_is_stopped_is_acknowledged(
    parcels: Parcels, type: str
) -> None:
    # given
    parcels.ending_takes = 0.05
    work = parcels.start(type)
    await parcels.until(lambda: parcels.begun)

    # when
    await stopped(work)

    # then
    assert parcels.ended[0] == ("0", "acknowledged")


@pytest.mark.parametrize("type", [STREAM, POLL])
async def test_what_cant_be_read_is_put_aside_and_what_is_behind_it_goes_on(
    parcels: Parcels, type: str
) -> None:
    # given the first can't be read, and those behind it can
    first = Returnable("bad", parcels, "offset 7 is not JSON")
    rest = parcels.parcel

    def parcel() -> Parcel:
        if parcels.made:
            return rest()
        parcels.made.append(first)
        return first

    parcels.parcel = parcel  # type: ignore[method-assign]

    # when
    parcels.pause.clear()
    work = parcels.start(type)
    await parcels.until(lambda: parcels.reports.of(PLACE).failing)
    waiting = parcels.reports.of(PLACE).message
    parcels.pause.set()
    await parcels.until(lambda: len(parcels.ended) > 1)
    await stopped(work)

    # then
    assert "bad: offset 7 is not JSON (tried 1 of 5 times" in waiting
    assert parcels.ended[0] == ("bad", "rejected")
    assert parcels.ended[1][1] == "acknowledged"
    report = parcels.reports.of(PLACE)
    assert (report.failing, report.put_aside) == (False, 1)
    assert "the last is bad: offset 7 is not JSON" in report.message
