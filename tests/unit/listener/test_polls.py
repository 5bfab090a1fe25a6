"""A poll trigger at work: what it remembers, and when."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from penstock.listener import backoff, trigger_run
from penstock.listener.gateway import Assigned, GatewayAway
from penstock.listener.rendering import Renderer, Secrets
from penstock.listener.reports import Reports
from penstock.listener.source import Event, NotNow, Polled, Surroundings
from penstock.listener.trigger_run import TriggerRun, Workshop
from penstock.resources.listener_report import ListenerReport
from penstock.triggers import registry
from penstock.triggers.kinds import PollTrigger
from penstock.triggers.properties import TriggerProperties

ASSIGNED = Assigned("letters", "box", "com.company.Letterbox", {}, {})


class Letterbox(TriggerProperties):
    """Is looked into."""

    interval: timedelta = timedelta(milliseconds=10)
    """How often."""
    allow_concurrent: bool = True
    """It waits for nothing."""


@dataclass
class Post:
    """A letterbox, and the gateway to which its letters go; all that happens is told in order."""

    told: list[str] = field(default_factory=list)
    passes_over: bool = False
    reports_fail: int = 0
    """How many reports the gateway does not take."""
    memory: Any = None
    """What was stored last."""

    async def poll(self, properties: Letterbox, cursor: Any, around: Surroundings) -> Polled:
        self.told.append(f"asked with {cursor}")
        if cursor == "taken":
            return Polled((), "taken")
        return Polled((Letter(self.told),), "taken", under_way="under way")

    async def hand_over(
        self, assigned: Assigned, key: str, variables: Mapping[str, Any]
    ) -> str | None:
        self.told.append("handed over")
        return None if self.passes_over else "letters-x"

    async def report(self, place: tuple[str, str], report: ListenerReport) -> None:
        if self.reports_fail:
            self.reports_fail -= 1
            raise GatewayAway("not now")
        if report.memory != self.memory:
            self.memory = report.memory
            self.told.append(f"stored {report.memory['cursor']}")

    @asynccontextmanager
    async def served(self, memory: Any = None, reports_every: float = 60.0) -> AsyncIterator[None]:
        """The trigger, while the block runs."""
        gateway: Any = self
        secrets = Secrets({})
        reports = Reports(gateway, reports_every)
        shop = Workshop("team", gateway, Renderer(secrets), secrets, reports)
        work = asyncio.create_task(TriggerRun(ASSIGNED, memory, shop).run())
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


@dataclass
class Letter:
    """A delivery that stays in the box where no condition wants it."""

    told: list[str]

    @property
    def events(self) -> Sequence[Event]:
        return (Event("letter", {}),)

    async def acknowledge(self) -> None:
        self.told.append("acknowledged")

    async def give_back(self) -> None:
        self.told.append("given back")

    async def pass_over(self) -> None:
        self.told.append("left")
        raise NotNow


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    made = Post()
    module = ModuleType("a_driver_of_letterboxes")
    module.poll = made.poll  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    box = PollTrigger(ASSIGNED.type, Letterbox, served=True, driver=f"{module.__name__}:poll")
    monkeypatch.setattr(registry, "_foreign_types", lambda: (box,))
    monkeypatch.setattr(trigger_run, "_SHORTEST_INTERVAL", 0.01)

    async def soon(seconds: float) -> None:
        await asyncio.sleep(seconds / 100)

    monkeypatch.setattr(backoff, "sleep", soon)
    return made


async def test_what_is_under_way_is_stored_before_it_is_handed_over(post: Post) -> None:
    async with post.served():
        await post.until(lambda: "acknowledged" in post.told)
    assert post.told[:4] == ["asked with None", "stored under way", "handed over", "acknowledged"]


async def test_nothing_is_handed_over_before_the_gateway_stores_it(post: Post) -> None:
    # given
    post.reports_fail = 3

    # when
    async with post.served():
        await post.until(lambda: "acknowledged" in post.told)

    # then
    assert post.reports_fail == 0
    assert post.told.index("stored under way") < post.told.index("handed over")


async def test_a_listener_that_starts_anew_goes_on_with_what_was_under_way(post: Post) -> None:
    # given
    async with post.served():
        await post.until(lambda: "stored under way" in post.told)
    stored = post.memory
    post.told.clear()

    # when
    async with post.served(stored):
        await post.until(lambda: "acknowledged" in post.told)

    # then: it is stored as it is
    assert post.told[:3] == ["asked with under way", "handed over", "acknowledged"]


async def test_what_the_conditions_pass_over_is_neither_acknowledged_nor_forgotten(
    post: Post,
) -> None:
    # given
    post.passes_over = True

    # when
    async with post.served():
        await post.until(lambda: post.told.count("left") == 2)

    # then
    assert post.told.count("asked with None") >= 2
    assert "acknowledged" not in post.told
