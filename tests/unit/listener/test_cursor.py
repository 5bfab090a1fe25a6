"""Where a poll goes on: it is kept when the listener starts anew, or its triggers change."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from penstock.flow.model import DurationProperty
from penstock.listener.gateway import Assigned, Listing
from penstock.listener.rendering import Renderer, Secrets
from penstock.listener.reports import Reports
from penstock.listener.source import Polled, Surroundings
from penstock.listener.supervisor import Supervisor
from penstock.listener.trigger_run import Workshop
from penstock.resources.listener_report import ListenerReport
from penstock.triggers import registry
from penstock.triggers.kinds import PollTrigger
from penstock.triggers.properties import TriggerProperties

TYPE = "com.company.Diary"
PLACE = ("diaries", "new")


class Diary(TriggerProperties):
    """Has pages."""

    shelf: str = "A"
    """Where it stands."""
    interval: DurationProperty = timedelta(hours=1)
    """How often to look."""


@dataclass
class Cluster:
    """A gateway and the TriggerStates behind it, as far as a listener asks for them; and a diary
    that has one more page each time that it is read."""

    assigned: Assigned = field(default_factory=lambda: Assigned(*PLACE, TYPE, {}, {}))
    revision: int = 1
    memory: Any = None
    """What the TriggerState has."""
    keeps: bool = True
    """Whether reports come into the TriggerState: its controller may be behind."""
    read_from: list[Any] = field(default_factory=list)
    """The cursors with which the diary was read."""

    async def triggers(self, revision: str) -> Listing | None:
        while revision == str(self.revision):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return Listing(str(self.revision), (self.assigned,), {PLACE: self.memory})

    async def report(self, place: tuple[str, str], report: ListenerReport) -> None:
        if self.keeps:
            self.memory = report.memory

    async def poll(self, properties: Diary, cursor: Any, surroundings: Surroundings) -> Polled:
        self.read_from.append(cursor)
        return Polled((), (cursor or 0) + 1)

    def changed(self, variables: Mapping[str, Any], **properties: Any) -> None:
        """Let the flow be another revision."""
        self.assigned = replace(self.assigned, variables=variables, properties=properties)
        self.revision += 1

    @asynccontextmanager
    async def listener(self) -> AsyncIterator[None]:
        """A listener, which would report long after it ends."""
        secrets, gateway = Secrets({}), self
        reports = Reports(gateway, period=3600)  # type: ignore[arg-type]
        shop = Workshop("team", gateway, Renderer(secrets), secrets, reports)  # type: ignore[arg-type]
        work = asyncio.create_task(Supervisor(shop).run())
        try:
            yield
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    async def was_read(self, times: int) -> None:
        await until(lambda: len(self.read_from) == times)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    module = ModuleType("a_driver_of_diaries")
    module.poll = made.poll  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    kind = PollTrigger(TYPE, Diary, served=True, driver=f"{module.__name__}:poll")
    monkeypatch.setattr(registry, "_foreign_types", lambda: (kind,))
    return made


async def test_a_listener_that_starts_anew_goes_on_where_the_last_one_ended(
    cluster: Cluster,
) -> None:
    # when it ends before its next report is due
    for times in (1, 2, 3):
        async with cluster.listener():
            await cluster.was_read(times)

    # then
    assert cluster.read_from == [None, 1, 2]


async def test_a_new_revision_goes_on_from_what_the_listener_knows(cluster: Cluster) -> None:
    # given a TriggerState that lags behind
    cluster.keeps = False
    async with cluster.listener():
        await cluster.was_read(1)

        # when
        cluster.changed({"flow": {"revision": 2}})
        await cluster.was_read(2)

    # then
    assert cluster.read_from == [None, 1]


async def test_other_properties_begin_anew(cluster: Cluster) -> None:
    # given
    async with cluster.listener():
        await cluster.was_read(1)

    # when
    cluster.changed({}, shelf="B")
    async with cluster.listener():
        await cluster.was_read(2)

    # then
    assert cluster.read_from == [None, None]
