"""Turns: no more executions run than the limits say, however late it is known what was written."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.controller.concurrency import calls
from penstock.controller.concurrency.calls import SlotCalls
from penstock.controller.concurrency.slots import SlotLimits
from penstock.controller.executions.concurrency import Asking, ConcurrencyLimits
from penstock.controller.flows.revisions import Revisions
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import execution_keys, flow_keys
from penstock.controller.runtime.queue import Key
from penstock.controller.workers.checking import Checking
from penstock.controller.workers.pool import Workers
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.limits import Limits
from penstock.engine.interface.turn import Turn
from penstock.engine.rendering.evaluation import no_functions
from penstock.expressions import NotLoaded
from penstock.kubernetes.api.client import Api, ApiError
from penstock.resources.execution import PinnedFlow
from penstock.types import expressions
from tests.fixtures import flows

FLOW = PinnedFlow(namespace="company.team", id="flow", name="flow")
ENGINE = Engine(
    flows.flow("{concurrency: {limit: 1}, tasks: [{id: a, type: Work}]}"), expressions()
)


NOW = datetime(2031, 1, 1, tzinfo=UTC)


def execution(name: str, state: str | None = None, since: int = 0) -> dict[str, Any]:
    created = "2030-01-01T00:00:00Z"
    body: dict[str, Any] = {
        "metadata": {
            "namespace": "ns",
            "name": name,
            "uid": name,
            "resourceVersion": "1",
            "creationTimestamp": created,
        },
        "spec": {"flow": {"name": "flow"}},
    }
    if state is not None:
        date = f"2030-01-01T00:00:{since:02}Z"
        history = [{"state": state, "date": date}]
        body["status"] = {"state": state, "flow": {"name": "flow"}, "history": history}
    return body


class Given:
    """Executions of a flow that is gone: what they run says how many may."""

    def __init__(self, *executions: dict[str, Any], namespace: int = 0) -> None:
        self.executions = ObjectStore(execution_keys)
        self.called: list[str] = []
        slots = SlotCalls(self.executions, SlotLimits(namespace=namespace), self._call)
        for body in executions:
            self.executions.put(body)
        nowhere = Api(None)
        revisions = Revisions(
            nowhere, Limits(), lambda namespace: no_functions, Checking(Workers())
        )
        self.limits = ConcurrencyLimits(slots, ObjectStore(flow_keys), revisions)

    def _call(self, key: Key) -> None:
        self.called.append(key.name)

    def turning(self, name: str, engine: Engine = ENGINE) -> AbstractAsyncContextManager[Turn]:
        """The turn of an execution, as its decision takes it."""
        body = self.executions.get("ns", name)
        assert body is not None
        return self.limits.turn(Asking(body, FLOW, engine, None, NOW))

    async def turn(self, name: str) -> Turn:
        async with self.turning(name) as turn:
            return turn


@pytest.mark.parametrize("state", ["RUNNING", "PAUSED", "RETRYING", "BREAKPOINT"])
async def test_one_that_has_begun_holds_a_slot(state: str) -> None:
    given = Given(execution("a", state), execution("b"))
    assert (await given.turn("b")).holders == 1
    assert (await given.turn("a")).has_come, "it does not stand in its own way"


@pytest.mark.parametrize("state", [None, "CREATED", "SUCCESS", "FAILED", "RETRIED"])
async def test_one_that_is_scheduled_or_has_ended_holds_none(state: str | None) -> None:
    given = Given(execution("a", state), execution("b"))
    assert (await given.turn("b")).has_come


async def test_whoever_was_queued_first_comes_first_and_new_ones_last() -> None:
    given = Given(
        execution("runs", "RUNNING"),
        execution("late", "QUEUED", 2),
        execution("early", "QUEUED", 1),
        execution("new"),
    )
    names = ("early", "late", "new")
    assert [(await given.turn(name)).ahead for name in names] == [0, 1, 2]
    # when a slot is free
    given.executions.put(execution("runs", "SUCCESS"))
    assert given.called == ["early"]


async def test_one_that_is_called_finds_its_slot_though_another_one_asks_first() -> None:
    given = Given(execution("runs", "RUNNING"), execution("waits", "QUEUED"), execution("new"))
    await given.turn("waits")
    given.executions.remove(execution("runs", "RUNNING"))
    assert given.called == ["waits"]
    # then
    assert not (await given.turn("new")).has_come
    assert (await given.turn("waits")).has_come


async def test_what_it_waits_for_is_told_and_stays_the_same_for_a_while() -> None:
    given = Given(
        execution("runs", "RUNNING"),
        execution("first", "QUEUED", 1),
        execution("next", "QUEUED", 2),
    )
    told = (await given.turn("next")).waits_for
    assert told == "waiting for the only slot of company.team.flow; 1 is before it"
    given.executions.remove(execution("first", "QUEUED", 1))
    assert (await given.turn("next")).waits_for == told


async def test_the_last_slot_is_given_once() -> None:
    # given two that are decided at the same moment
    given = Given(execution("a"), execution("b"))
    came: list[str] = []

    async def decide(name: str) -> None:
        async with given.turning(name) as turn:
            await asyncio.sleep(0)  # as a write gives others the chance
            if turn.has_come:
                came.append(name)
                given.executions.put(execution(name, "RUNNING"))

    # when
    await asyncio.gather(decide("a"), decide("b"))
    # then
    assert came == ["a"]


async def test_nobody_waits_for_a_write_of_somebody_else() -> None:
    given = Given(execution("a"), execution("b"))
    async with given.turning("a"):
        assert not (await given.turn("b")).has_come


async def test_a_slot_is_kept_for_a_write_of_which_nothing_is_known() -> None:
    given = Given(execution("a"), execution("b"))
    # given a decision whose write got no answer
    with pytest.raises(ConnectionError):
        async with given.turning("a"):
            raise ConnectionError
    assert (await given.turn("b")).holders == 1
    # when it is decided again
    await given.turn("a")
    # then
    assert (await given.turn("b")).holders == 0


async def test_one_whose_write_is_refused_lets_others_pass() -> None:
    given = Given(execution("runs", "RUNNING"), execution("a", "QUEUED"), execution("b", "QUEUED"))
    await given.turn("b")
    given.executions.put(execution("runs", "SUCCESS"))
    assert given.called == ["a"]
    # when what was decided can't be written
    with pytest.raises(ApiError):
        async with given.turning("a"):
            raise ApiError(403, "Forbidden", "no")
    # then
    assert given.called == ["a", "b"]


async def test_who_has_to_read_first_holds_no_slot() -> None:
    # given: a decision that lacks something was not made, so nothing of it was written
    given = Given(execution("a"), execution("b"))
    with pytest.raises(NotLoaded):
        async with given.turning("a"):
            raise NotLoaded("a file")
    # then
    assert (await given.turn("b")).has_come


async def test_where_an_administrator_sets_a_limit_a_flow_without_one_waits_too() -> None:
    given = Given(execution("a", "RUNNING"), execution("b"), namespace=1)
    plain = Engine(flows.flow("{tasks: [{id: a, type: Work}]}"), expressions())
    async with given.turning("b", plain) as turn:
        assert not turn.has_come
        assert turn.concurrency is None
        assert turn.waits_for == "waiting for the only slot of the namespace; it comes next"


async def test_a_sentence_that_is_not_true_any_more_is_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "RENEWED", 0.02)
    given = Given(
        execution("runs", "RUNNING"),
        execution("first", "QUEUED", 1),
        execution("next", "QUEUED", 2),
    )
    for name in ("first", "next"):
        await given.turn(name)
    # when nothing moves
    await asyncio.sleep(0.1)
    assert given.called == []
    # and when one leaves the line
    given.executions.remove(execution("first", "QUEUED", 1))
    await asyncio.sleep(0.1)
    # then the one behind it is told anew, once
    assert set(given.called) == {"next"}
    assert (await given.turn("next")).waits_for == (
        "waiting for the only slot of company.team.flow; it comes next"
    )
    given.called.clear()
    await asyncio.sleep(0.1)
    assert given.called == []


async def test_one_that_does_not_come_for_its_slot_lets_the_next_one_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "OFFERED", 0.02)
    given = Given(
        execution("runs", "RUNNING"),
        execution("stuck", "QUEUED", 1),
        execution("next", "QUEUED", 2),
    )
    await given.turn("next")
    given.executions.remove(execution("runs", "RUNNING"))
    assert given.called == ["stuck"]
    # when nobody reconciles it
    await asyncio.sleep(0.1)
    # then
    assert given.called == ["stuck", "next"]
