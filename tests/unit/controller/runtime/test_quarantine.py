"""What is quarantined is passed over, says so, and is tried again when it was changed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.runtime.bench import Bench, Sitting
from penstock.controller.runtime.quarantine import Quarantine, mark_of
from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import EVENTS, EXECUTIONS, FLOWS, JOBS, Object
from penstock.kubernetes.api.labels import LIFT_QUARANTINE
from tests.fixtures.controller import NAMESPACE, Controller, conditions, execution, flow, until

ONE = """
    id: flow
    namespace: company.team
    tasks: [{id: only, type: io.kestra.plugin.core.debug.Return, format: x}]
"""


def died_twice_at(folder: Path, kind: str, body: Object) -> Bench:
    """The bench of a controller that starts after two deaths at an object."""
    meta = body["metadata"]
    who = Sitting(kind, meta["namespace"], meta["name"], meta["uid"], mark_of(body))
    for _ in range(2):
        with Bench(folder, 4).sitting(who):
            left = (folder / "bench").read_bytes()
        (folder / "bench").write_bytes(left)
    return Bench(folder, 4)


class Story:
    """A controller that starts after two deaths at the execution `killer`."""

    def __init__(self, folder: Path) -> None:
        self.controller = Controller(folder)
        self.server = self.controller.server
        self.server.put(FLOWS, flow(ONE))
        self.server.put(EXECUTIONS, execution("killer", metadata={"generation": 1}))
        bench = died_twice_at(folder / "notes", "Execution", self.killer)
        self.controller = Controller(folder, server=self.server, bench=bench)
        self.metrics = self.controller.operator.runtime.metrics

    @property
    def killer(self) -> Object:
        body = self.server.get(EXECUTIONS, NAMESPACE, "killer")
        assert body is not None
        return body

    def held(self) -> float | None:
        return self.metrics.registry.get_sample_value("penstock_quarantined", {"kind": "Execution"})

    def told(self) -> int:
        """How many Events say so: they are written a little later than the status."""
        return [event["reason"] for event in self.server.all(EVENTS)].count("Quarantined")

    def change(self, **meta: Any) -> None:
        body = self.killer
        self.server.put(EXECUTIONS, {**body, "metadata": {**body["metadata"], **meta}})


@pytest.fixture
def story(tmp_path: Path) -> Story:
    (tmp_path / "notes").mkdir()
    return Story(tmp_path)


@pytest.mark.parametrize("change", [{"generation": 2}, {"annotations": {LIFT_QUARANTINE: "now"}}])
async def test_it_is_passed_over_until_it_was_changed(story: Story, change: Any) -> None:
    async with story.controller.running():
        # given
        await until(lambda: "Stalled" in conditions(story.killer))
        assert conditions(story.killer)["Stalled"][0] == "Quarantined"
        await until(lambda: story.told() == 1)
        assert story.held() == 1
        # and another change is no reason to try it again
        story.change(labels={"looked": "at"})
        await asyncio.sleep(0.5)
        assert not story.server.all(JOBS)
        # when
        story.change(**change)
        # then
        await until(lambda: story.server.all(JOBS))
    assert "Stalled" not in conditions(story.killer)
    assert story.held() == 0


async def test_nothing_is_kept_of_one_that_is_deleted(story: Story, tmp_path: Path) -> None:
    async with story.controller.running():
        await until(lambda: "Stalled" in conditions(story.killer))
        story.server.remove(EXECUTIONS, NAMESPACE, "killer")
        await until(lambda: story.held() == 0)
    assert not Bench(tmp_path / "notes", 4).quarantined


async def test_of_suspects_one_comes_after_the_other(tmp_path: Path) -> None:
    # given: a death at two executions at once
    controller = Controller(tmp_path)
    controller.server.put(FLOWS, flow(ONE))
    names = ("a", "b", "innocent")
    for name in names:
        controller.server.put(EXECUTIONS, execution(name))
    await controller.list()
    before = Bench(tmp_path, 4)
    told, metrics = controller.stores.told(), controller.operator.runtime.metrics
    keys = {name: Key("Execution", NAMESPACE, name) for name in names}
    left = [Quarantine(before, told, metrics).noted(keys[name]) for name in ("a", "b")]
    for noted in left:
        await noted.__aenter__()
    quarantine = Quarantine(Bench(tmp_path, 4), told, metrics)
    # when
    together: list[set[str]] = []
    running: set[str] = set()

    async def reconcile(name: str) -> None:
        async with quarantine.noted(keys[name]):
            running.add(name)
            together.append(set(running))
            await asyncio.sleep(0.05)
            running.discard(name)

    await asyncio.gather(*(reconcile(name) for name in names))
    # then
    assert not any({"a", "b"} <= names_then for names_then in together)
    assert any("innocent" in names_then and len(names_then) > 1 for names_then in together)
