"""Slots: no more executions run at once than a flow, a namespace and the installation let, whoever
kills the controller meanwhile; who waits says for what, and who is urgent comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from e2e.apiserver import invariants
from e2e.apiserver.controlplane import ControlPlane
from e2e.apiserver.stage import Stage
from e2e.fixtures.slot_oracle import (
    Interval,
    by_flow,
    intervals,
    never_more_at_once,
)
from penstock.controller.runtime.settings import ExecutionSettings
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, ApiError, Object
from penstock.resources import API_VERSION
from penstock.resources.execution import ExecutionStatus

OF_NARROW, OF_NAMESPACE, OF_ALL = 2, 3, 4
NARROW = f"""
    id: narrow
    namespace: company.team
    concurrency: {{limit: {OF_NARROW}}}
    tasks: [{{id: say, type: io.kestra.plugin.core.debug.Return, format: hello}}]
"""
WIDE = """
    id: wide
    namespace: company.team
    tasks: [{id: say, type: io.kestra.plugin.core.debug.Return, format: hello}]
"""
PARENT = """
    id: parent
    namespace: company.team
    tasks:
      - {id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: wide}
"""
HOLD = {
    "id": "hold",
    "namespace": "company.other",
    "tasks": [
        {"id": "wait", "type": "io.kestra.plugin.core.flow.Pause", "pauseDuration": "PT0.3S"}
    ],
}
URGENT = """
    id: urgent
    namespace: company.team
    concurrency: {limit: 1}
    tasks: [{id: hold, type: io.kestra.plugin.core.flow.Pause}]
"""


@pytest.fixture
async def shared(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage with a neighbour, and limits for both."""
    async with Stage.opened(plane, tmp_path, with_neighbour=True) as stage:
        limits = ExecutionSettings(
            max_running=OF_ALL, max_running_by_namespace={stage.namespace: OF_NAMESPACE}
        )
        stage.controller.choose(executions=limits)
        yield stage


async def neighbours(stage: Stage, count: int) -> None:
    """Executions of the neighbour, which need no nodes."""
    flow = {"apiVersion": API_VERSION, "kind": "Flow", "metadata": {"name": "hold"}, "spec": HOLD}
    await stage.api.create(FLOWS, stage.neighbour, flow)
    for number in range(count):
        body = {"apiVersion": API_VERSION, "kind": "Execution", "spec": {"flow": {"name": "hold"}}}
        meta = {"metadata": {"name": f"other-{number}"}}
        await stage.api.create(EXECUTIONS, stage.neighbour, {**body, **meta})


async def all_ended(stage: Stage) -> list[Object]:
    """All executions of the neighbour, once they have ended."""

    def finished(body: Object) -> bool:
        return ExecutionStatus.from_json(body.get("status") or {}).finished

    for _ in range(600):
        found = await stage.api.list(EXECUTIONS, stage.neighbour)
        if all(finished(body) for body in found):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError([body.get("status") for body in found if not finished(body)])


async def first_in(stage: Stage, holds: Callable[[str], bool]) -> Object | None:
    """The first execution whose state is a certain one."""
    for body in await stage.executions():
        if holds((body.get("status") or {}).get("state", "")):
            return body
    return None


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_limit_is_exceeded_though_the_controller_is_killed_and_holders_go(
    shared: Stage, seed: int
) -> None:
    # given
    stage, random = shared, Random(seed)
    for text in (NARROW, WIDE, PARENT):
        await stage.flow(text)
    await neighbours(stage, 8)
    for number in range(6):
        for flow in ("narrow", "wide"):
            await stage.execute(flow, f"{flow}-{number}")
    await stage.execute("parent", "parent-0")
    # when
    stage.controller.seed = seed
    stage.controller.faults.lost_answers = 0.03
    stage.controller.start()
    await stage.controller.ready()
    deleted: list[Interval] = []
    for _ in range(3):
        await asyncio.sleep(random.uniform(0.3, 1.2))
        deleted += await delete_one(stage)
        await asyncio.sleep(random.uniform(0.1, 0.5))
        await kill_one(stage)
        await stage.controller.kill()
        stage.controller.start()
    stage.controller.faults.lost_answers = 0
    await stage.ended()
    # then
    own, others = await stage.executions(), await all_ended(stage)
    for body in own:
        assert body["status"]["state"] in ("SUCCESS", "KILLED"), body["status"]
    called = [body for body in own if body["spec"].get("parent")]
    alone = [body for body in own if body not in called]
    held = {body["metadata"]["name"]: list(intervals(body)) for body in [*own, *others]}
    narrow = [item for body in by_flow(own)["narrow"] for item in held[body["metadata"]["name"]]]
    narrow += [item for item in deleted if item.name.startswith("narrow")]
    in_namespace = [item for body in alone for item in held[body["metadata"]["name"]]] + deleted
    outside = [item for body in others for item in held[body["metadata"]["name"]]]
    assert never_more_at_once(OF_NARROW, narrow, "the flow") == OF_NARROW
    assert never_more_at_once(OF_NAMESPACE, in_namespace, "the namespace") == OF_NAMESPACE
    assert never_more_at_once(OF_ALL, in_namespace + outside, "the installation") == OF_ALL
    assert len(called) == 1, "it ran in the slot of its parent"
    invariants.every_call_is_allowed(stage.controller.calls)


async def delete_one(stage: Stage) -> list[Interval]:
    """Delete an execution that runs; gives how long it held its slots at least."""
    body = await first_in(stage, lambda state: state == "RUNNING")
    if body is None or body["metadata"]["name"].startswith("parent"):
        return []
    # Until then at least: whatever is written of it later is not seen.
    held = list(intervals(body, datetime.now(UTC)))
    with suppress(ApiError):
        meta = body["metadata"]
        await stage.api.delete(EXECUTIONS, stage.namespace, meta["name"], meta["uid"])
        return held
    return []


async def kill_one(stage: Stage) -> None:
    """Ask for the end of an execution that waits or runs."""
    body = await first_in(stage, lambda state: state in ("QUEUED", "RUNNING"))
    if body is not None and not body["metadata"]["name"].startswith("parent"):
        patch = {"spec": {"kill": True}}
        with suppress(ApiError):
            await stage.api.patch(EXECUTIONS, stage.namespace, body["metadata"]["name"], patch)


async def test_the_neighbour_runs_though_another_one_has_a_long_queue(shared: Stage) -> None:
    # given a namespace whose queue fills the installation
    stage = shared
    stage.controller.choose(executions=ExecutionSettings(max_running=2))
    await stage.flow(WIDE)
    stage.hold.add("say")
    for number in range(12):
        await stage.execute("wide", f"wide-{number}")
    stage.controller.start()
    await stage.controller.ready()
    await stage.until("wide-11", lambda body: (body.get("status") or {}).get("state") == "QUEUED")
    # when somebody else comes, and slots are free again
    await neighbours(stage, 1)
    stage.hold.clear()
    # then
    other = (await all_ended(stage))[0]
    await stage.ended()
    end = datetime.fromisoformat(other["status"]["endDate"])
    ends = [body["status"]["endDate"] for body in await stage.executions()]
    before = [text for text in ends if datetime.fromisoformat(text) <= end]
    assert len(before) <= 4, "it did not wait for the queue"


async def test_who_is_urgent_comes_first_and_everybody_says_what_they_wait_for(
    stage: Stage,
) -> None:
    # given one that runs, and three that wait
    await stage.flow(URGENT)
    stage.controller.start()
    await stage.controller.ready()
    for name in ("runs", "first", "second", "third"):
        await stage.execute("urgent", name)
        wanted = "PAUSED" if name == "runs" else "QUEUED"
        await stage.until(name, lambda body, wanted=wanted: state(body) == wanted)  # type: ignore[misc]
    third = await stage.execution("third")
    said = "waiting for the only slot of company.team.urgent; 2 are before it"
    assert third["status"]["message"] == said
    reconciling = [item for item in third["status"]["conditions"] if item["type"] == "Reconciling"]
    assert [(item["reason"], item["message"]) for item in reconciling] == [("Queued", said)]
    # when the last one becomes urgent, and the one that runs is deleted
    await stage.api.patch(EXECUTIONS, stage.namespace, "third", {"spec": {"priority": 10}})
    await asyncio.sleep(0.5)
    await stage.api.delete(EXECUTIONS, stage.namespace, "runs")
    # then
    body = await stage.until("third", lambda body: state(body) == "PAUSED")
    assert "message" not in body["status"]
    assert state(await stage.execution("first")) == "QUEUED"


def state(body: Object) -> str | None:
    found: str | None = (body.get("status") or {}).get("state")
    return found
