"""Triggers in front of a real API server: each date once, whatever happens to the controller, and
whatever people do with a TriggerState."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import FLOWS, TRIGGER_STATES, ApiError, Object
from penstock.resources.trigger_state import new_trigger_state

TICKS = """
    id: ticks
    namespace: company.team
    tasks:
      - {id: set, type: io.kestra.plugin.core.execution.Labels, labels: {done: "1"}}
    triggers:
      - id: often
        type: io.kestra.plugin.core.trigger.Schedule
        cron: "*/2 * * * * *"
        withSeconds: true
        timezone: Europe/Paris
        allowConcurrent: true
"""
DAILY = """
    id: ticks
    namespace: company.team
    tasks:
      - {id: set, type: io.kestra.plugin.core.execution.Labels, labels: {done: "1"}}
    triggers:
      - {id: often, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 6 * * *"}
"""
NAME = "ticks.often"
_PATIENCE = 30.0


async def state_of(stage: Stage) -> Object:
    try:
        return await stage.api.get(TRIGGER_STATES, stage.namespace, NAME)
    except ApiError:
        return {}


async def until(stage: Stage, holds: Callable[[Object], Any]) -> Object:
    """The TriggerState, once something holds of it."""
    deadline = time.monotonic() + _PATIENCE
    while not holds(state := await state_of(stage)):
        assert time.monotonic() < deadline, state
        await asyncio.sleep(0.05)
    return state


def is_in(word: str) -> Callable[[Object], bool]:
    return lambda state: bool((state.get("status") or {}).get("state") == word)


async def dates(stage: Stage) -> list[datetime]:
    """For which dates executions were started."""
    found = await stage.executions()
    texts = [body["spec"]["trigger"]["variables"]["date"] for body in found]
    return sorted(datetime.fromisoformat(text) for text in texts)


async def told(stage: Stage, spec: dict[str, Any]) -> None:
    """Let somebody change the spec of the TriggerState."""
    await stage.api.patch(TRIGGER_STATES, stage.namespace, NAME, {"spec": spec})


async def test_a_restart_across_due_times_neither_loses_nor_doubles_one(stage: Stage) -> None:
    # given
    await stage.flow(TICKS)
    stage.controller.start()
    await until(stage, is_in("Armed"))
    # when
    for _ in range(3):
        await asyncio.sleep(1.5)
        await stage.controller.kill()
        await asyncio.sleep(2.5)
        stage.controller.start()
        await stage.controller.ready()
    deadline = time.monotonic() + _PATIENCE
    while len(found := await dates(stage)) < 6:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.2)
    await told(stage, {"disabled": True})
    await until(stage, is_in("Disabled"))
    # then
    fired = await dates(stage)
    steps = {later - earlier for earlier, later in itertools.pairwise(fired)}
    assert steps == {timedelta(seconds=2)}
    assert fired[0].utcoffset() in (timedelta(hours=1), timedelta(hours=2))


async def test_a_trigger_is_disabled_and_enabled_by_a_patch(stage: Stage) -> None:
    # given
    await stage.flow(TICKS)
    stage.controller.start()
    await until(stage, is_in("Armed"))
    # when
    await told(stage, {"disabled": True})
    state = await until(stage, is_in("Disabled"))
    # then
    assert "nextDate" not in state["status"]
    before = await dates(stage)
    await asyncio.sleep(4.5)
    assert await dates(stage) == before
    # and
    await told(stage, {"disabled": None})
    await until(stage, is_in("Armed"))
    deadline = time.monotonic() + _PATIENCE
    while len(after := await dates(stage)) == len(before):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert not before or after[len(before)] - before[-1] > timedelta(seconds=4)


async def test_one_that_is_deleted_or_foreign_is_made_anew(stage: Stage) -> None:
    # given: somebody was there first
    await stage.flow(DAILY)
    flow = await stage.api.get(FLOWS, stage.namespace, "ticks")
    foreign = new_trigger_state(flow, "often", disabled=True)
    foreign["metadata"]["ownerReferences"] = []
    made = await stage.api.create(TRIGGER_STATES, stage.namespace, foreign)
    # when
    stage.controller.start()
    state = await until(stage, is_in("Armed"))
    # then
    assert state["metadata"]["uid"] != made["metadata"]["uid"]
    assert state["metadata"]["ownerReferences"][0]["uid"] == flow["metadata"]["uid"]
    # and
    await stage.api.delete(TRIGGER_STATES, stage.namespace, NAME)
    gone = state["metadata"]["uid"]
    await until(stage, lambda body: is_in("Armed")(body) and body["metadata"]["uid"] != gone)
    assert await dates(stage) == []


async def test_a_trigger_that_leaves_its_flow_has_no_state_any_more(stage: Stage) -> None:
    # given
    await stage.flow(DAILY)
    stage.controller.start()
    await until(stage, is_in("Armed"))
    # when
    await stage.api.patch(FLOWS, stage.namespace, "ticks", {"spec": {"triggers": None}})
    # then
    await until(stage, lambda body: not body)


async def test_a_backfill_goes_through_its_dates_across_restarts(stage: Stage) -> None:
    # given
    await stage.flow(DAILY)
    stage.controller.start()
    await until(stage, is_in("Armed"))
    # when
    start, end = "2026-03-01T06:00:00Z", "2026-03-20T06:00:00Z"
    await told(stage, {"backfill": {"start": start, "end": end}})
    await until(stage, lambda body: (body["status"].get("backfill") or {}).get("started", 0) > 4)
    await stage.controller.kill()
    stage.controller.start()
    state = await until(stage, lambda body: body["status"]["backfill"]["state"] == "Finished")
    # then
    assert state["status"]["backfill"]["started"] == 20
    fired = await dates(stage)
    assert [date.day for date in fired] == list(range(1, 21))
    statuses = await stage.ended()
    assert {status.state.value for status in statuses.values()} == {"SUCCESS"}
