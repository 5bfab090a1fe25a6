"""Worker processes: one that dies is that question's error, and nobody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from penstock.controller.workers import pool
from penstock.controller.workers.pool import Busy, WorkerFault, WorkerLost, Workers
from penstock.controller.workers.questions import Call
from penstock.expressions import ExpressionError, NotLoaded


@dataclass(frozen=True)
class Echo:
    """Answers with what it was asked, and with the process that answered."""

    value: Any = None

    def answer(self, call: Call) -> tuple[Any, int]:
        return self.value, os.getpid()


@dataclass(frozen=True)
class Greedy:
    """Takes memory without end."""

    def answer(self, call: Call) -> Any:
        return bytearray(1024**3)


@dataclass(frozen=True)
class Deadly:
    """Ends the process, as native code does that goes wrong."""

    def answer(self, call: Call) -> Any:
        os.kill(os.getpid(), signal.SIGSEGV)


@dataclass(frozen=True)
class Slow:
    seconds: float = 60

    def answer(self, call: Call) -> float:
        time.sleep(self.seconds)
        return time.monotonic()


@dataclass(frozen=True)
class Faulty:
    def answer(self, call: Call) -> Any:
        raise KeyError("a secret word")


@dataclass(frozen=True)
class Calling:
    """Calls a function of whoever asked, and answers with what that gives."""

    name: str

    def answer(self, call: Call) -> Any:
        try:
            return call(self.name, 1, by=2)
        except ExpressionError as error:
            return f"error: {error.message}"


@dataclass(frozen=True)
class Environment:
    def answer(self, call: Call) -> Any:
        return dict(os.environ)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers()
    yield workers
    await workers.close()


async def ask(workers: Workers, question: Any, tenant: str = "team", **functions: Any) -> Any:
    return await workers.ask(tenant, question, functions)


async def test_a_worker_answers_one_question_after_the_other(workers: Workers) -> None:
    first, process = await ask(workers, Echo({"a": [1, None, "ä"]}))
    second, same = await ask(workers, Echo("x" * 1_000_000))
    assert (first, second) == ({"a": [1, None, "ä"]}, "x" * 1_000_000)
    assert process == same != os.getpid()


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (Greedy(), "needs more than 192 MiB of memory"),
        (Deadly(), "ended the process that was to do it"),
    ],
)
async def test_what_kills_a_worker_is_an_error_and_the_next_one_answers(
    workers: Workers, question: Any, told: str
) -> None:
    # when
    with pytest.raises(WorkerLost, match=told):
        await ask(workers, question)
    # then
    assert (await ask(workers, Echo("still here")))[0] == "still here"


async def test_what_takes_too_long_is_ended(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # when
    with monkeypatch.context() as patched:
        patched.setattr(pool, "SECONDS", 1.5)
        with pytest.raises(WorkerLost, match="takes longer than"):
            await ask(workers, Slow())
    # then
    assert (await ask(workers, Echo("still here")))[0] == "still here"


async def test_a_fault_tells_its_place_and_none_of_its_words(workers: Workers) -> None:
    with pytest.raises(WorkerFault) as raised:
        await ask(workers, Faulty())
    assert "KeyError at " in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_functions_are_called_by_whoever_asks(workers: Workers) -> None:
    # given
    def refuse(*args: Any, **named: Any) -> Any:
        raise ExpressionError("not for you")

    def missing(*args: Any, **named: Any) -> Any:
        raise NotLoaded("what is missing")

    # then
    assert await ask(workers, Calling("sum"), sum=lambda a, by: a + by) == 3
    assert await ask(workers, Calling("refuse"), refuse=refuse) == "error: not for you"
    with pytest.raises(NotLoaded) as raised:
        await ask(workers, Calling("missing"), missing=missing)
    assert raised.value.wanted == "what is missing"


async def test_a_question_that_is_given_up_costs_no_worker(workers: Workers) -> None:
    # given
    def missing(*args: Any, **named: Any) -> Any:
        raise NotLoaded("what is missing")

    _, before = await ask(workers, Echo())
    # when
    for _ in range(3):
        with pytest.raises(NotLoaded):
            await ask(workers, Calling("missing"), missing=missing)
    # then
    assert await ask(workers, Echo(1)) == (1, before)


async def test_a_worker_gets_nothing_of_the_environment(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENV_TOKEN", "hunter2")
    assert "ENV_TOKEN" not in await ask(workers, Environment())


async def test_one_tenant_leaves_a_worker_to_the_others(workers: Workers) -> None:
    # given
    loop = asyncio.get_running_loop()
    slow = [loop.create_task(ask(workers, Slow(3), tenant="loud")) for _ in range(2)]
    await asyncio.sleep(0)
    # when
    began = time.monotonic()
    await ask(workers, Echo(), tenant="quiet")
    # then
    assert not any(task.done() for task in slow), time.monotonic() - began
    with pytest.raises(Busy):
        await ask(workers, Echo(), tenant="loud")
    first, second = await asyncio.gather(*slow)
    assert second - first >= 3, "the two of one tenant come one after the other"
