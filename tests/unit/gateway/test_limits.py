"""What one flow, and one Kubernetes namespace, may take up of the gateway."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from penstock.gateway import limits as module
from penstock.gateway.limits import (
    AT_ONCE_PER_TENANT,
    BYTES_BURST,
    BYTES_RATE,
    CPU_BURST,
    CPU_RATE,
    FLOW_BURST,
    FLOW_RATE,
    MOST_WAITING_PER_TENANT,
    MOST_WAITS,
    MOST_WAITS_PER_TENANT,
    TENANT_BURST,
    Limits,
    Rates,
    TooMany,
)


@dataclass
class Time:
    now: float = 500.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def limits(time: Time) -> Limits:
    return Limits(time)


def test_a_burst_is_let_in_and_then_so_many_a_second(time: Time) -> None:
    rates = Rates(10, 3, time)
    for _ in range(3):
        assert rates.missing_seconds("a") == 0
        rates.take("a")
    assert rates.missing_seconds("a") == pytest.approx(0.1)
    assert rates.missing_seconds("b") == 0
    time.now += 0.1
    assert rates.missing_seconds("a") == pytest.approx(0)
    # however long it was quiet, no more than a burst is saved up
    time.now += 1_000
    assert rates.missing_seconds("a", 4) == pytest.approx(0.1)


def test_a_flow_that_is_called_too_often_is_refused_and_no_other(
    limits: Limits, time: Time
) -> None:
    for _ in range(int(FLOW_BURST)):
        limits.count("team", "orders")
    with pytest.raises(TooMany, match="`orders` is called more than 50 times a second") as refused:
        limits.count("team", "orders")
    assert refused.value.retry_after == 1
    limits.count("team", "bills")
    limits.count("other", "orders")
    # a refused call takes nothing
    time.now += 1 / FLOW_RATE
    limits.count("team", "orders")


def test_many_flows_of_one_namespace_are_refused_together(limits: Limits) -> None:
    for number in range(int(TENANT_BURST)):
        limits.count("team", f"flow-{number}")
    with pytest.raises(TooMany, match="the flows of `team` are called more than"):
        limits.count("team", "another")
    limits.count("other", "flow")


def test_expressions_that_take_much_are_paid_for_later(
    limits: Limits, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: expressions of one namespace that took more than may be taken at once
    monkeypatch.setattr(module, "thread_time", time)
    with limits.computing("team"):
        time.now += CPU_BURST + 0.2
    monkeypatch.undo()
    # then
    with pytest.raises(TooMany, match="take too much CPU") as refused:
        limits.count("team", "orders")
    assert refused.value.retry_after == 2
    limits.count("other", "orders")
    time.now += 0.2 / CPU_RATE + 0.01
    limits.count("team", "orders")


def test_what_is_sent_is_paid_for_too(limits: Limits, time: Time) -> None:
    limits.count_bytes("team", int(BYTES_BURST + BYTES_RATE))
    with pytest.raises(TooMany, match="the webhooks of `team` are sent too much"):
        limits.count("team", "orders")
    limits.count("other", "orders")
    time.now += 1.01
    limits.count("team", "orders")


async def test_one_namespace_s_flood_lets_another_one_in_at_once(limits: Limits) -> None:
    # given: more calls of one namespace than are worked on at once
    release = asyncio.Event()
    entered = 0

    async def call() -> None:
        nonlocal entered
        async with limits.turn("flood"):
            entered += 1
            await release.wait()

    flood = [asyncio.create_task(call()) for _ in range(MOST_WAITING_PER_TENANT)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert entered == AT_ONCE_PER_TENANT
    # then
    async with asyncio.timeout(1), limits.turn("victim"):
        pass
    with pytest.raises(TooMany, match="too many calls wait"):
        async with limits.turn("flood"):
            pass
    # and all of the flood come, one after the other
    release.set()
    await asyncio.gather(*flood)
    assert entered == MOST_WAITING_PER_TENANT


def test_answers_that_wait_are_counted_for_each_namespace_and_together(limits: Limits) -> None:
    with ExitStack() as held:
        for _ in range(MOST_WAITS_PER_TENANT):
            held.enter_context(limits.wait("team"))
        with pytest.raises(TooMany, match="wait for the end of an execution"):
            held.enter_context(limits.wait("team"))
        for number in range(MOST_WAITS - MOST_WAITS_PER_TENANT):
            held.enter_context(limits.wait(f"other-{number}"))
        with pytest.raises(TooMany):
            held.enter_context(limits.wait("late"))
    with limits.wait("team"):
        pass
