"""One trigger of a listener at work: what is acknowledged to its source, when, and what is said."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from penstock.listener import backoff, trigger_run
from penstock.listener.gateway import Assigned, GatewayAway, NotThere, Place, Refused, StorageAway
from penstock.listener.rendering import Renderer, Secrets
from penstock.listener.reports import Reports
from penstock.listener.source import Event, EventFile, SourceError, Surroundings
from penstock.listener.trigger_run import TriggerRun, Workshop
from penstock.resources.listener_report import ListenerReport
from penstock.triggers import registry
from penstock.triggers.kinds import StreamTrigger
from penstock.triggers.properties import TriggerProperties

TYPE = "com.company.Bell"
PLACE = ("doors", "bell")


class Bell(TriggerProperties):
    """Rings."""

    password: str
    """Of its server."""


@dataclass
class Ring:
    """A delivery of one event."""

    key: str
    told: list[str]

    @property
    def events(self) -> Sequence[Event]:
        return (Event(self.key, {"door": self.key}),)

    async def acknowledge(self) -> None:
        self.told.append(f"acknowledged {self.key}")

    async def give_back(self) -> None:
        self.told.append(f"given back {self.key}")


class FilmedRing(Ring):
    """A delivery of an event that has a file."""

    @property
    def events(self) -> Sequence[Event]:
        return (Event(self.key, {}, {("film",): EventFile("door.mp4", b"film")}),)


class RejectedRing(Ring):
    """A delivery of a source that keeps what was rejected."""

    async def reject(self) -> None:
        self.told.append(f"rejected {self.key}")


@dataclass
class Door:
    """A gateway, as far as a trigger asks it."""

    answers: list[Exception | str | None] = field(default_factory=list)
    """What the next calls come to; after those, each event has its Execution."""
    handed: list[str] = field(default_factory=list)
    reports: list[ListenerReport] = field(default_factory=list)
    films: list[Exception | str] = field(default_factory=list)
    """What putting the next files comes to; after those, each is put."""
    seen: list[Mapping[str, Any]] = field(default_factory=list)
    """The variables that were handed over."""

    async def place(self, assigned: Assigned, key: str, name: str, size: int, sha: str) -> Place:
        return Place(f"kestra:///{key}/{name}", "", "")

    async def put(self, place: Place, content: Any, size: int) -> None:
        answer = self.films.pop(0) if self.films else place.uri
        if isinstance(answer, Exception):
            raise answer

    async def hand_over(
        self, assigned: Assigned, key: str, variables: Mapping[str, Any]
    ) -> str | None:
        self.handed.append(key)
        self.seen.append(variables)
        answer = self.answers.pop(0) if self.answers else f"run-{key}"
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def report(self, place: tuple[str, str], report: ListenerReport) -> None:
        self.reports.append(report)


@dataclass
class House:
    """A trigger that is served, with all around it."""

    door: Door = field(default_factory=Door)
    rings: list[Ring] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    """The passwords with which the source was opened."""
    failure: Exception | None = None
    """What opening the source comes to."""
    environment: dict[str, str] = field(
        default_factory=lambda: {
            "PENSTOCK_LISTENER_SECRETS": '{"doors": {"BELL": "PENSTOCK_SECRET_1"}}',
            "PENSTOCK_SECRET_1": "hunter22",
        }
    )

    def __post_init__(self) -> None:
        self.reports = Reports(self.door, period=0.01)  # type: ignore[arg-type]

    def ring(self, *keys: str, kind: type[Ring] = Ring) -> None:
        self.rings += [kind(key, self.told) for key in keys]

    @asynccontextmanager
    async def stream(self, properties: Bell, surroundings: Surroundings) -> AsyncIterator[Any]:
        self.opened.append(properties.password)
        if self.failure is not None:
            raise self.failure
        yield self

    async def deliveries(self) -> AsyncIterator[Ring]:
        while True:
            while self.rings:
                yield self.rings.pop(0)
            await asyncio.sleep(0.005)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """The trigger, while the block runs."""
        secrets = Secrets(self.environment)
        assigned = Assigned(*PLACE, TYPE, {"password": "{{ secret('BELL') }}"}, {})
        gateway: Any = self.door
        shop = Workshop("team", gateway, Renderer(secrets), secrets, self.reports)
        work = asyncio.create_task(TriggerRun(assigned, None, shop).run())
        try:
            yield
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    """A house with a bell; whoever waits for a second waits for a hundredth of it."""
    made = House()
    module = ModuleType("a_driver_of_bells")
    module.stream = made.stream  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    bell = StreamTrigger(TYPE, Bell, served=True, driver=f"{module.__name__}:stream")
    monkeypatch.setattr(registry, "_foreign_types", lambda: (bell,))

    async def soon(seconds: float) -> None:
        await asyncio.sleep(seconds / 100)

    monkeypatch.setattr(backoff, "sleep", soon)
    return made


async def test_an_event_is_acknowledged_once_its_execution_is_stored(house: House) -> None:
    house.ring("front", "back")
    async with house.served():
        await house.until(lambda: len(house.told) == 2)
    assert house.door.handed == ["front", "back"]
    assert house.told == ["acknowledged front", "acknowledged back"]
    assert house.opened == ["hunter22"]


async def test_with_the_gateway_away_nothing_is_acknowledged_and_nothing_is_lost(
    house: House,
) -> None:
    # given
    house.door.answers = [GatewayAway("it is rolled out")] * 7
    house.ring("front", "back")
    async with house.served():
        # when
        await house.until(lambda: len(house.door.handed) > 3)
        assert house.told == []
        # then
        await house.until(lambda: len(house.told) == 2)
    assert house.told == ["acknowledged front", "acknowledged back"]


async def test_a_namespace_without_room_for_a_file_is_told_so_and_loses_nothing(
    house: House,
) -> None:
    # given
    full = StorageAway("the internal storage answers 507: its quota is 1.00 GiB")
    house.door.films = [full] * 100_000
    house.ring("front", kind=FilmedRing)
    async with house.served():
        # when
        await house.until(lambda: house.reports.of(PLACE).failing)
        told = house.reports.of(PLACE)
        assert house.told == []
        # and when there is room again
        house.door.films.clear()
        # then
        await house.until(lambda: house.told and not house.reports.of(PLACE).failing)
    assert "the files of event front wait: the internal storage answers 507" in told.message
    assert house.door.handed == ["front"]
    assert house.door.seen == [{"film": "kestra:///front/door.mp4"}]
    assert house.told == ["acknowledged front"]


async def test_an_event_that_no_condition_wants_is_acknowledged(house: House) -> None:
    house.door.answers = [None]
    house.ring("front")
    async with house.served():
        await house.until(lambda: house.told)
    assert house.told == ["acknowledged front"]


@pytest.mark.parametrize(
    ("kind", "end"), [(Ring, "acknowledged front"), (RejectedRing, "rejected front")]
)
async def test_an_event_that_is_refused_for_good_is_put_aside_and_named(
    house: House, kind: type[Ring], end: str
) -> None:
    # given: it is refused, and the one behind it is not
    house.door.answers = [Refused("its inputs can't be rendered")] * trigger_run.POISON_TRIES
    house.ring("front", kind=kind)
    house.ring("back")
    # when
    async with house.served():
        await house.until(lambda: len(house.told) == 2)
    # then
    assert house.told == [end, "acknowledged back"]
    assert house.door.handed == ["front"] * trigger_run.POISON_TRIES + ["back"]
    report = house.reports.of(PLACE)
    assert (report.put_aside, report.failing) == (1, False)
    assert "front: its inputs can't be rendered" in report.message


async def test_a_refusal_that_passes_puts_nothing_aside(house: House) -> None:
    house.door.answers = [Refused("no")] * (trigger_run.POISON_TRIES - 1)
    house.ring("front")
    async with house.served():
        await house.until(lambda: house.told)
    assert house.told == ["acknowledged front"]
    assert house.reports.of(PLACE).put_aside == 0


async def test_an_event_of_a_trigger_that_is_gone_is_given_back(house: House) -> None:
    house.door.answers = [NotThere("it is disabled")]
    house.ring("front")
    async with house.served():
        await house.until(lambda: house.told)
    assert house.told == ["given back front"]
    assert not house.reports.of(PLACE).failing


async def test_what_is_at_work_when_the_listener_ends_is_given_back(house: House) -> None:
    house.door.answers = [GatewayAway("away")] * 100_000
    house.ring("front")
    async with house.served():
        await house.until(lambda: house.door.handed)
    assert house.told == ["given back front"]


@pytest.mark.parametrize(
    "failure",
    [SourceError("the password hunter22 is wrong"), RuntimeError("login hunter22 failed")],
    ids=["a source's", "a driver's"],
)
async def test_a_source_that_fails_is_reported_without_its_secret_and_opened_again(
    house: House, failure: Exception
) -> None:
    house.failure = failure
    async with house.served():
        await house.until(lambda: len(house.opened) > 2)
        report = house.reports.of(PLACE)
        assert report.failing
        assert "******" in report.message
        assert "hunter22" not in report.message
        # when it works again
        house.failure = None
        house.ring("front")
        await house.until(lambda: house.told)
    assert not house.reports.of(PLACE).failing


async def test_a_secret_that_is_missing_is_named(house: House) -> None:
    del house.environment["PENSTOCK_SECRET_1"]
    async with house.served():
        await house.until(lambda: house.reports.of(PLACE).failing)
    assert "secret('BELL')" in house.reports.of(PLACE).message
    assert house.opened == []


async def test_only_news_is_reported(house: House) -> None:
    house.reports.works(PLACE)
    for _ in range(3):
        await house.reports.tell()
    house.reports.fails(PLACE, "it is away")
    await house.reports.tell()
    assert [report.failing for report in house.door.reports] == [False, True]
