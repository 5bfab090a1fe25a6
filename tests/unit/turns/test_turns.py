"""Whose turn it is, of tenants with many calls and with few."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest

from penstock.turns import Turn, Turns


class Calls:
    """Calls of tenants that go on until they are ended, in the order in which they began."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.begun: list[str] = []

    async def add(self, *names: str) -> None:
        """Calls by name, whose first letter is the tenant."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._call(name))
            await asyncio.sleep(0)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self._tasks[name]
        await asyncio.sleep(0)

    async def _call(self, name: str) -> None:
        async with self._turns.turn(name[0]):
            self.begun.append(name)
            await self._ends[name].wait()


async def test_no_more_than_so_many_at_once() -> None:
    calls = Calls(Turns(2, 2))
    await calls.add("a1", "b1", "c1")
    assert calls.begun == ["a1", "b1"]
    await calls.end("a1")
    assert calls.begun == ["a1", "b1", "c1"]


async def test_a_tenant_leaves_room_for_others_however_many_it_has() -> None:
    calls = Calls(Turns(4, 2))
    await calls.add(*(f"a{number}" for number in range(20)))
    assert calls.begun == ["a0", "a1"]
    await calls.add("b0")
    assert calls.begun == ["a0", "a1", "b0"]


async def test_tenants_that_want_all_leave_a_part_for_whoever_has_none() -> None:
    # given: four tenants whose shares are all that there is
    calls = Calls(Turns(20, 5))
    await calls.add(*(f"{tenant}{number}" for number in range(9) for tenant in "abcd"))
    assert Counter(name[0] for name in calls.begun) == {"a": 4, "b": 4, "c": 4, "d": 4}
    # then: whoever has none begins at once, one after the other
    await calls.add("e0", "f0", "g0", "h0")
    assert calls.begun[-4:] == ["e0", "f0", "g0", "h0"]
    # and what becomes free is left for the next one
    await calls.end("a0")
    await calls.add("i0")
    assert calls.begun[-1] == "i0"


async def test_a_tenant_alone_has_its_share_of_all() -> None:
    calls = Calls(Turns(8, 3))
    await calls.add("a0", "a1", "a2", "a3")
    assert calls.begun == ["a0", "a1", "a2"]


async def test_those_that_wait_come_one_tenant_after_the_other() -> None:
    calls = Calls(Turns(1, 1))
    await calls.add("a0", "a1", "a2", "b0", "b1", "c0")
    for name in ("a0", "a1", "b0", "c0", "a2"):
        await calls.end(name)
    assert calls.begun == ["a0", "a1", "b0", "c0", "a2", "b1"]


async def test_who_gives_up_waiting_takes_no_turn() -> None:
    calls = Calls(Turns(1, 1))
    await calls.add("a0", "b0", "c0")
    await calls.give_up("b0")
    await calls.end("a0")
    assert calls.begun == ["a0", "c0"]
    # and one that gives up its work lets in the next
    await calls.add("d0")
    await calls.give_up("c0")
    assert calls.begun == ["a0", "c0", "d0"]


async def test_who_gives_up_in_the_moment_of_its_turn_gives_it_back() -> None:
    # given
    turns = Turns(1, 1)
    calls = Calls(turns)
    await calls.add("a0", "b0")
    # when: the turn is given, and before the call goes on it is cancelled
    calls._ends["a0"].set()
    await asyncio.sleep(0)
    calls._tasks["b0"].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls._tasks["b0"]
    # then
    await calls.add("c0")
    assert "c0" in calls.begun


async def test_a_turn_that_is_passed_on_ends_later_and_once() -> None:
    turns, held = Turns(1, 1), list[Turn]()
    async with turns.turn("a") as turn:
        turn.passed_on = True
        held.append(turn)
    calls = Calls(turns)
    await calls.add("b0", "c0")
    assert calls.begun == []
    held[0].give_back()
    held[0].give_back()
    await asyncio.sleep(0)
    assert calls.begun == ["b0"]
