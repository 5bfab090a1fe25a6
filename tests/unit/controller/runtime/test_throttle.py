"""How fast Jobs are made, of namespaces with many of them and with few."""

from __future__ import annotations

import asyncio

import pytest

from penstock.controller.runtime.throttle import Throttle

RATE, BURST = 4.0, 8


class World:
    """A throttle, and a clock that goes on whenever somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.throttle = Throttle(RATE, BURST, clock=lambda: self.now, sleep=self._sleep)
        self.taken: list[tuple[str, float]] = []
        """Who took a token, and after how many seconds."""

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds

    async def take(self, tenant: str) -> None:
        await self.throttle.take(tenant)
        self.taken.append((tenant, self.now - 1_000.0))

    def wanted(self, tenant: str, number: int) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.take(tenant)) for _ in range(number)]


async def test_a_tenant_alone_has_its_burst_and_then_the_rate() -> None:
    # given
    world = World()
    # when
    await asyncio.gather(*world.wanted("a", BURST + 4))
    # then
    times = [time for _, time in world.taken]
    assert times == pytest.approx([0.0] * BURST + [0.25, 0.5, 0.75, 1.0])


async def test_who_wants_one_waits_for_one_of_another_tenant_that_wants_a_thousand() -> None:
    # given: a tenant that has used up its burst, and wants many more
    world = World()
    many = world.wanted("a", 1_000)
    await asyncio.gather(*many[: BURST + 2])
    before = len(world.taken)
    # when
    await asyncio.gather(*world.wanted("b", 1))
    # then: the one whose turn it was is before it, and one that has its token and not said so yet
    assert [tenant for tenant, _ in world.taken[before:]].index("b") <= 2
    # and the rest has the rate that it would have had alone
    await asyncio.gather(*many)
    assert world.taken[-1][1] == pytest.approx((1_001 - BURST) / RATE)


async def test_tenants_with_many_take_turns() -> None:
    # given
    world = World()
    # when
    await asyncio.gather(*world.wanted("a", 50), *world.wanted("b", 20), *world.wanted("c", 20))
    # then: each has one of three, as long as all want some
    order = [tenant for tenant, _ in world.taken[BURST + 1 :]]
    assert all(len(set(order[at : at + 3])) == 3 for at in range(55))


async def test_who_does_not_wait_any_more_takes_nothing() -> None:
    # given
    world = World()
    first = world.wanted("a", BURST)
    given_up = world.wanted("b", 100)
    await asyncio.gather(*first)
    # when
    for task in given_up:
        task.cancel()
    await asyncio.gather(*given_up, return_exceptions=True)
    world.taken.clear()
    world.now += BURST / RATE
    await asyncio.gather(*world.wanted("c", BURST))
    # then: the next one finds the bucket full
    assert world.taken == [("c", world.now - 1_000.0)] * BURST
