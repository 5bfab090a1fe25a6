"""The keyed queue: many events become one reconcile, and never two at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import pytest

from penstock.controller.runtime import outcomes as module
from penstock.controller.runtime.outcomes import Done, Outcome
from penstock.controller.runtime.queue import Key, KeyedQueue

A, B = Key("Execution", "ns", "a"), Key("Execution", "ns", "b")


@asynccontextmanager
async def working(
    reconcile: Callable[[Key], Awaitable[None]], workers: int = 4
) -> AsyncIterator[KeyedQueue]:
    async def ends_well(key: Key) -> Outcome:
        await reconcile(key)
        return Done()

    queue = KeyedQueue(ends_well, workers)
    task = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    """Look until something holds."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it does not come to that")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY", 0.005)
    monkeypatch.setattr(module, "LONGEST_RETRY", 0.02)
    monkeypatch.setattr(module, "LEAST_PAUSE", 0.03)


async def test_many_events_become_one_reconcile() -> None:
    seen: Counter[Key] = Counter()

    async def reconcile(key: Key) -> None:
        seen[key] += 1

    async with working(reconcile) as queue:
        for _ in range(50):
            queue.add(A)
        queue.add(B)
        assert queue.depth == 2
        await until(lambda: seen.total() == 2)
    assert seen == {A: 1, B: 1}


async def test_what_changes_meanwhile_is_looked_at_once_more_and_never_beside() -> None:
    active: Counter[Key] = Counter()
    calls = 0
    release = asyncio.Event()

    async def reconcile(key: Key) -> None:
        nonlocal calls
        active[key] += 1
        assert active[key] == 1, "two at once"
        calls += 1
        await release.wait()
        active[key] -= 1

    async with working(reconcile) as queue:
        queue.add(A)
        await until(lambda: calls == 1)
        for _ in range(5):
            queue.add(A)
        assert queue.depth == 1
        release.set()
        await until(lambda: calls == 2)
        await asyncio.sleep(0.01)
    assert calls == 2


async def test_a_key_that_hangs_holds_nobody_up_but_takes_a_worker() -> None:
    done: list[Key] = []

    async def reconcile(key: Key) -> None:
        if key == A:
            await asyncio.sleep(10)
        done.append(key)

    async with working(reconcile, workers=2) as queue:
        queue.add(A)
        queue.add(B)
        await until(lambda: done == [B])


async def test_no_more_at_once_than_there_are_workers() -> None:
    active = most = done = 0

    async def reconcile(key: Key) -> None:
        nonlocal active, most, done
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.002)
        active -= 1
        done += 1

    async with working(reconcile, workers=3) as queue:
        for number in range(20):
            queue.add(Key("Flow", "ns", str(number)))
        await until(lambda: done == 20)
    assert most == 3


async def test_a_key_that_fails_comes_back_later_and_later() -> None:
    times: list[float] = []

    async def reconcile(key: Key) -> None:
        times.append(time.monotonic())
        if len(times) < 4:
            raise RuntimeError("not yet")

    async with working(reconcile) as queue:
        queue.add(A)
        await until(lambda: len(times) == 4)
        waits = [after - before for before, after in pairwise(times)]
        assert waits[0] >= 0.004
        assert waits[2] >= 0.016
        queue.add(A)
        await until(lambda: len(times) == 5)


async def test_the_earliest_wish_counts() -> None:
    times: list[float] = []

    async def reconcile(key: Key) -> None:
        times.append(time.monotonic())

    async with working(reconcile) as queue:
        begin = time.monotonic()
        queue.add_later(A, 5)
        queue.add_later(A, 0.01)
        queue.add_later(A, 3)
        await until(lambda: len(times) == 1)
    assert 0.008 <= times[0] - begin < 1


async def test_news_of_a_key_that_fails_does_not_hurry_it() -> None:
    """A failing reconcile may make a change each time, whose news must not hurry it."""
    # given
    times: list[float] = []

    async def reconcile(key: Key) -> None:
        times.append(time.monotonic())
        raise RuntimeError("not yet")

    async with working(reconcile) as queue:
        begin = time.monotonic()
        # when
        while time.monotonic() - begin < 0.3:
            queue.add(A)
            await asyncio.sleep(0.001)
    # then: a pause of 0.03 s (here) between any two, but for the first few that wait less
    assert 3 <= len(times) <= 25


async def test_keys_of_one_namespace_do_not_delay_those_of_another() -> None:
    # given
    done: list[Key] = []
    other = Key("Execution", "quiet", "hello")

    async def reconcile(key: Key) -> None:
        await asyncio.sleep(0)
        done.append(key)

    async with working(reconcile, workers=2) as queue:
        for number in range(500):
            queue.add(Key("Execution", "busy", str(number)))
        # when
        queue.add(other)
        await until(lambda: other in done)
    # then
    assert done.index(other) <= 4
