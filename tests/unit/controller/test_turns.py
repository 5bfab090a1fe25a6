"""Turns: no more executions of a flow hold a place than its limit says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.controller.executions.concurrency import ConcurrencyLimits, next_in_line
from penstock.controller.flows.revisions import Revisions
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import execution_keys, flow_keys
from penstock.controller.workers.checking import Checking
from penstock.controller.workers.pool import Workers
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.limits import Limits
from penstock.engine.interface.turn import Turn
from penstock.engine.rendering.evaluation import no_functions
from penstock.expressions import NotLoaded
from penstock.kubernetes.api.client import Api
from penstock.resources.execution import PinnedFlow
from penstock.types import expressions
from tests.fixtures import flows

FLOW = PinnedFlow(namespace="company.team", id="flow", name="flow")
ENGINE = Engine(
    flows.flow("{concurrency: {limit: 1}, tasks: [{id: a, type: Work}]}"), expressions()
)


def execution(name: str, state: str | None = None, since: int = 0) -> dict[str, Any]:
    body: dict[str, Any] = {
        "metadata": {"namespace": "ns", "name": name, "uid": name, "resourceVersion": "1"},
        "spec": {"flow": {"name": "flow"}},
    }
    if state is not None:
        date = f"2030-01-01T00:00:{since:02}Z"
        history = [{"state": state, "date": date}]
        body["status"] = {"state": state, "flow": {"name": "flow"}, "history": history}
    return body


class Given:
    """Executions of a flow that is gone: what they run says how many may."""

    def __init__(self, *executions: dict[str, Any]) -> None:
        self.executions = ObjectStore(execution_keys)
        for body in executions:
            self.executions.put(body)
        nowhere = Api(None)
        revisions = Revisions(
            nowhere, Limits(), lambda namespace: no_functions, Checking(Workers())
        )
        self.turns = ConcurrencyLimits(
            self.executions, ObjectStore(flow_keys), revisions, ExecutionMemories()
        )

    async def turn(self, name: str) -> Turn:
        body = self.executions.get("ns", name)
        assert body is not None
        async with self.turns.turn(body, FLOW, ENGINE) as turn:
            return turn


@pytest.mark.parametrize("state", ["RUNNING", "PAUSED", "RETRYING", "BREAKPOINT"])
async def test_one_that_has_begun_holds_a_place(state: str) -> None:
    given = Given(execution("a", state), execution("b"))
    assert (await given.turn("b")).holders == 1
    assert (await given.turn("a")).has_come, "it does not stand in its own way"


@pytest.mark.parametrize("state", [None, "CREATED", "SUCCESS", "FAILED", "RETRIED"])
async def test_one_that_is_scheduled_or_has_ended_holds_none(state: str | None) -> None:
    given = Given(execution("a", state), execution("b"))
    assert (await given.turn("b")).has_come


async def test_whoever_was_queued_first_comes_first_and_new_ones_last() -> None:
    queued = [execution("late", "QUEUED", 2), execution("early", "QUEUED", 1)]
    given = Given(*queued, execution("new"))
    assert [(await given.turn(name)).ahead for name in ("early", "late", "new")] == [0, 1, 2]
    assert next_in_line(given.executions, "ns", "flow") == queued[1]


async def test_the_last_place_is_given_once() -> None:
    # given two that are decided at the same moment
    given = Given(execution("a"), execution("b"))
    came: list[str] = []

    async def decide(name: str) -> None:
        body = given.executions.get("ns", name)
        assert body is not None
        async with given.turns.turn(body, FLOW, ENGINE) as turn:
            await asyncio.sleep(0)  # as a write gives others the chance
            if turn.has_come:
                came.append(name)
                given.executions.put(execution(name, "RUNNING"))

    # when
    await asyncio.gather(decide("a"), decide("b"))
    # then
    assert came == ["a"]


async def test_a_place_is_kept_for_a_write_of_which_nothing_is_known() -> None:
    given = Given(execution("a"), execution("b"))
    # given a decision whose write got no answer
    with pytest.raises(ConnectionError):
        async with given.turns.turn(execution("a"), FLOW, ENGINE):
            raise ConnectionError
    assert (await given.turn("b")).holders == 1
    # when it is decided again
    await given.turn("a")
    # then
    assert (await given.turn("b")).holders == 0


async def test_who_has_to_read_first_holds_no_place() -> None:
    # given: a decision that lacks something was not made, so nothing of it was written
    given = Given(execution("a"), execution("b"))
    body = given.executions.get("ns", "a")
    assert body is not None
    with pytest.raises(NotLoaded):
        async with given.turns.turn(body, FLOW, ENGINE):
            raise NotLoaded("a file")
    # then
    assert (await given.turn("b")).has_come
