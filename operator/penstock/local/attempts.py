"""The attempts on this machine: each is a coroutine, in place of a Job."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from penstock.engine.interface.actions import AttemptKey, Observation, StartAttempt
from penstock.engine.interface.identity import Identity
from penstock.flow.document import Flow
from penstock.local.watching import Watcher
from penstock.resources.execution import State

OnLog = Callable[[str, str], None]
"""Takes the stream (`stdout` or `stderr`) and one line of a log."""


@dataclass(frozen=True)
class Place:
    """The execution and the flow to which an attempt belongs."""

    identity: Identity
    flow: Flow


Started = Callable[[], None]
"""Is called when the task itself begins: an attempt that is refused before has never run."""

RunTask = Callable[[Place, StartAttempt, OnLog, Started], Awaitable[Observation]]
"""Runs one attempt to its end. Cancelling it kills the task."""

MAX_PROCESSES = 64
"""Attempts that run at once, whatever the flows ask for: one machine is not a cluster."""


@dataclass(frozen=True)
class Seen:
    """A change of an attempt."""

    execution: str
    key: AttemptKey
    observation: Observation


class LocalAttempts:
    """Runs the attempts of all executions."""

    def __init__(self, run_task: RunTask, on_fault: Callable[[Exception], None]) -> None:
        self._run_task = run_task
        self._on_fault = on_fault
        self._slots = asyncio.Semaphore(MAX_PROCESSES)
        self._running: dict[tuple[str, AttemptKey], asyncio.Task[Observation]] = {}
        self._events: asyncio.Queue[Seen | None] = asyncio.Queue()

    @property
    def busy(self) -> bool:
        """Whether an attempt runs, or a change was not taken in yet."""
        return bool(self._running) or not self._events.empty()

    def start(self, place: Place, start: StartAttempt, watcher: Watcher) -> None:
        """Start an attempt, unless it runs already."""
        name, key = place.identity.name, start.key
        if (name, key) in self._running:
            return
        on_log = self._guarded(start, watcher)
        task = asyncio.create_task(self._attempt(place, start, on_log))
        task.add_done_callback(partial(self._ended, name, key))
        self._running[name, key] = task

    def stop(self, execution: str, key: AttemptKey) -> None:
        """Kill an attempt. Its end is told like any other."""
        if (task := self._running.get((execution, key))) is not None:
            task.cancel()

    def wake(self) -> None:
        """Let `happened` return, although nothing happened."""
        self._events.put_nowait(None)

    def tell(self, seen: Seen) -> None:
        """Tell a change of an attempt that is no coroutine."""
        self._events.put_nowait(seen)

    async def happened(self, until: datetime | None) -> list[Seen]:
        """Wait for the next change, and give all changes by then; none where ``until`` comes
        first."""
        seconds = None if until is None else max((until - now()).total_seconds(), 0)
        found: list[Seen | None] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                found.append(await self._events.get())
        while not self._events.empty():
            found.append(self._events.get_nowait())
        return [seen for seen in found if seen is not None]

    async def end_all(self) -> None:
        """Kill all attempts, and wait for their ends."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _attempt(self, place: Place, start: StartAttempt, on_log: OnLog) -> Observation:
        began = now()

        def started() -> None:
            running = Observation(State.RUNNING, start_date=now())
            self.tell(Seen(place.identity.name, start.key, running))

        try:
            async with self._slots:
                began = now()
                return await self._run_task(place, start, on_log, started)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            return Observation(State.FAILED, began, now(), None, "InternalError", message)

    def _ended(self, execution: str, key: AttemptKey, task: asyncio.Task[Observation]) -> None:
        self._running.pop((execution, key), None)
        seen = (
            Observation(State.KILLED, end_date=now(), reason="Killed")
            if task.cancelled()
            else task.result()
        )
        self.tell(Seen(execution, key, seen))

    def _guarded(self, start: StartAttempt, watcher: Watcher) -> OnLog:
        """The function that tells the watcher of each line, until the watcher fails."""
        faulty = False

        def on_log(stream: str, line: str) -> None:
            nonlocal faulty
            if faulty:
                return
            try:
                watcher.logged(start.task_run, stream, line)
            except Exception as error:  # such as a broken pipe
                faulty = True
                self._on_fault(error)

        return on_log


def now() -> datetime:
    return datetime.now(UTC)
