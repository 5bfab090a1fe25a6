"""Worker processes: a few, made when they are first asked for, each replaced when it dies."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from penstock.controller.runtime.outcomes import WaitingError
from penstock.controller.workers.process import LENGTH, MEMORY
from penstock.controller.workers.questions import Question
from penstock.expressions import ExpressionError, NotLoaded
from penstock.turns import Turns

SECONDS = 60.0
"""Seconds for which one question is waited."""
_PROCESSES = 2
_MOST = 8
_MOST_OF_TENANT = 2
"""Questions that wait or are answered, in all and of one tenant: who waits holds up one of those
that reconcile, and half of these are to stay free for what asks nothing of a worker."""
_LARGEST_ANSWER = 64 * 1024 * 1024
_HANDED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ")
"""The variables of the environment that a worker gets."""

Functions = Mapping[str, Callable[..., Any]]


class Busy(WaitingError):
    """The workers have too much to do. It is asked again."""

    reason = "WorkersBusy"


class WorkerLost(Exception):
    """A worker died of a question, or had no answer in time. The text says which."""


class WorkerFault(Exception):
    """A worker made an error of its own."""


class Workers:
    """Asks worker processes, one tenant after the other."""

    def __init__(self) -> None:
        self._turns = Turns(_PROCESSES, per_tenant=1)
        self._asked = Counter[str]()
        self._idle: list[_Worker] = []
        self._alive: set[_Worker] = set()

    async def ask(self, tenant: str, question: Question, functions: Functions) -> Any:
        """Give the answer to a question; what it calls by name are ``functions``.

        Raises ``Busy``, ``WorkerLost``, and what the functions raise beside ``ExpressionError``.
        """
        with self._place(tenant):
            async with self._turns.turn(tenant):
                worker = self._idle.pop() if self._idle else await self._started()
                try:
                    answer, tired = await worker.ask(question, functions)
                except _GivenUp as given_up:
                    await self._put_back(worker, given_up.tired)
                    raise given_up.missing from None
                except BaseException:
                    await self._end(worker)
                    raise
                await self._put_back(worker, tired)
                return answer

    async def close(self) -> None:
        """End the processes, whatever they do."""
        self._idle.clear()
        for worker in tuple(self._alive):
            await self._end(worker)

    async def _put_back(self, worker: _Worker, tired: bool) -> None:
        if tired:
            await self._end(worker)
        else:
            self._idle.append(worker)

    async def _started(self) -> _Worker:
        worker = await _Worker.started()
        self._alive.add(worker)
        return worker

    async def _end(self, worker: _Worker) -> None:
        await worker.end()
        self._alive.discard(worker)

    @contextmanager
    def _place(self, tenant: str) -> Iterator[None]:
        if self._asked.total() >= _MOST or self._asked[tenant] >= _MOST_OF_TENANT:
            raise Busy(
                "expressions or flows that take long are evaluated one after the other: "
                "waiting for those before"
            )
        self._asked[tenant] += 1
        try:
            yield
        finally:
            self._asked[tenant] -= 1
            if not self._asked[tenant]:
                del self._asked[tenant]


class _GivenUp(Exception):
    """A question was given up, since a function has to read something first. Its worker is well."""

    def __init__(self, missing: NotLoaded, tired: bool) -> None:
        super().__init__()
        self.missing = missing
        self.tired = tired


class _Worker:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def started(cls) -> _Worker:
        environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "penstock.controller.workers.process"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment,
            )
        )

    async def ask(self, question: Question, functions: Functions) -> tuple[Any, bool]:
        """Give the answer, and whether the worker has become too large to go on. Raises
        ``_GivenUp``."""
        try:
            async with asyncio.timeout(SECONDS):
                await self._send(question)
                while True:
                    kind, *rest = await self._receive()
                    if kind != "call":
                        return _answered(kind, rest)
                    try:
                        await self._send(_called(functions, *rest))
                    except NotLoaded as missing:
                        await self._give_up(missing)
        except TimeoutError:
            raise WorkerLost(f"it takes longer than {SECONDS:.0f} s") from None
        except (EOFError, ConnectionError):
            raise WorkerLost(_DIED) from None

    async def _give_up(self, missing: NotLoaded) -> NoReturn:
        """Let the worker leave the question that it is asked. Raises ``_GivenUp``."""
        await self._send(("give up", None))
        kind, *rest = await self._receive()
        if kind != "given up":
            raise WorkerFault(f"a question could not be given up: {kind}")
        raise _GivenUp(missing, *rest)

    async def end(self) -> None:
        """Let the process be gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _send(self, message: object) -> None:
        assert self._process.stdin is not None
        written = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._process.stdin.write(LENGTH.pack(len(written)) + written)
        await self._process.stdin.drain()

    async def _receive(self) -> Any:
        assert self._process.stdout is not None
        (length,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
        if length > _LARGEST_ANSWER:
            raise WorkerLost(_NEEDS_MEMORY)
        return pickle.loads(await self._process.stdout.readexactly(length))


_NEEDS_MEMORY = f"it needs more than {MEMORY // 1024**2} MiB of memory"
_DIED = f"it ended the process that was to do it, as what {_NEEDS_MEMORY[3:]} does"


def _answered(kind: str, rest: list[Any]) -> tuple[Any, bool]:
    if kind == "answer":
        answer, tired = rest
        return answer, tired
    if kind == "memory":
        raise WorkerLost(_NEEDS_MEMORY)
    error, where = rest
    raise WorkerFault(f"{error} at {where}")


def _called(functions: Functions, name: str, args: Any, named: Any) -> tuple[str, Any]:
    """Call a function for a worker. Raises ``NotLoaded`` as it does: the question is given up."""
    try:
        return "value", functions[name](*args, **named)
    except ExpressionError as error:
        return "error", error.message
