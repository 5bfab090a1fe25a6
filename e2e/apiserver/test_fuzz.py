"""Whatever a tenant writes: the others are served, and the controller does not end.

Each test is one story, made from its seed: objects of every kind that a tenant may write, and what
the processes of their tasks may say. `PENSTOCK_SEEDS="7 8"` tells other stories, and
`PENSTOCK_ACTS=2000` longer ones.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from e2e.apiserver import invariants
from e2e.apiserver.controlplane import ControlPlane
from e2e.apiserver.hostile_objects import RESULTS, objects
from e2e.apiserver.hostile_values import ANYTHING, drawn
from e2e.apiserver.stage import Stage
from e2e.apiserver.tenant import HostilePods, Tenant
from e2e.fixtures.kubernetes import PATIENCE
from penstock.kubernetes.api.client import EVENTS, EXECUTIONS, KEY_VALUES, Object
from penstock.resources.execution import ExecutionStatus, State

SEEDS = [int(text) for text in os.environ.get("PENSTOCK_SEEDS", "").split()] or range(1, 3)
ACTS = int(os.environ.get("PENSTOCK_ACTS", "80"))
SERVED_WITHIN = 10.0 * PATIENCE
"""Seconds that a hello-world of somebody else may take."""
MEMORY_MIB = 512
"""What the chart lets the controller have, beside its worker processes."""
HELLO = """
    id: hello
    namespace: company.victim
    tasks: [{id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ flow.id }}"}]
"""


class Victim:
    """Somebody else, who runs a hello-world again and again."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._begun = 0
        self.seconds: list[float] = []
        """How long each took."""
        self.last: list[Object] = []
        """The one that runs, or ran last."""

    async def greet(self) -> None:
        """Run it once, and note how long it took."""
        self._begun += 1
        name = f"hello-{self._begun}"
        begun = time.monotonic()
        await self._stage.execute("hello", name)
        while True:
            self.last[:] = [await self._stage.execution(name)]
            status = ExecutionStatus.from_json(self.last[0].get("status") or {})
            if status.finished or time.monotonic() - begun > 3 * SERVED_WITHIN:
                break
            await asyncio.sleep(0.05)
        self.seconds.append(time.monotonic() - begun)
        assert status.state is State.SUCCESS, f"{name}: {status.state} {status.message}"
        (run,) = status.task_runs
        assert run.outputs == {"value": "say 1"}, run.outputs

    async def greet_for_ever(self) -> None:
        while True:
            await self.greet()


@asynccontextmanager
async def beside(*works: asyncio.Task[None]) -> AsyncIterator[None]:
    """Let tasks run beside the block; one that failed fails it."""
    try:
        yield
    finally:
        for work in works:
            work.cancel()
        for work in works:
            with suppress(asyncio.CancelledError):
                await work


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_a_tenant_writes_stops_nobody_else(
    plane: ControlPlane, tmp_path: Path, seed: int
) -> None:
    # given: two namespaces, of which one runs hello-worlds all the time
    random = Random(seed)
    written = objects(seed, ACTS)
    odd, messages = drawn(ANYTHING, seed, 100), drawn(RESULTS, seed, 100)
    async with Stage.opened(plane, tmp_path, with_neighbour=True) as stage:
        controller = stage.controller
        victim = Victim(stage)
        tenant = Tenant(stage.api, stage.neighbour, random, odd)
        pods = HostilePods(stage.api, stage.neighbour, random, messages)
        await stage.flow(HELLO)
        controller.start()
        await controller.ready()
        await victim.greet()
        tenant.victims = victim.last
        # when: the other one is full of attacks
        try:
            greeting = asyncio.create_task(victim.greet_for_ever())
            async with beside(greeting, asyncio.create_task(pods.run())):
                for each in written:
                    await tenant.write(each)
                await asyncio.sleep(1)
            await victim.greet()
            # and when it starts again, with all of it there
            memory = controller.peak_mib()
            await controller.kill()
            controller.start()
            await controller.ready()
            await victim.greet()
            # then
            assert controller.crashes == []
            assert controller.starts == 2
            assert max(victim.seconds) < SERVED_WITHIN, victim.seconds
            assert max(memory, controller.peak_mib()) < MEMORY_MIB
            await nothing_went_wrong(stage)
            assert tenant.answers[201] > len(written) / 6, tenant.answers
        except BaseException as error:
            error.add_note(f"seed {seed}: {tenant.answers}, crashes: {controller.crashes}")
            error.add_note(f"hello-worlds took {victim.seconds}")
            raise


async def nothing_went_wrong(stage: Stage) -> None:
    """No error of the controller's own, nothing forbidden, no hot loop, nothing of the victim's."""
    calls = stage.controller.calls
    invariants.every_call_is_allowed(calls)
    invariants.nothing_is_tried_in_a_hot_loop(calls)
    told = await stage.api.list(EVENTS, stage.neighbour)
    errors = [event for event in told if event["reason"] in ("InternalError", "Quarantined")]
    assert not errors, [(event["regarding"], event["note"]) for event in errors]
    faults = [line for line in stage.controller.logs().splitlines() if "InternalError" in line]
    assert not faults, faults[:5]
    assert await stage.api.list(KEY_VALUES, stage.namespace) == []
    names = [body["metadata"]["name"] for body in await stage.api.list(EXECUTIONS, stage.namespace)]
    assert all(name.startswith("hello-") for name in names), names
