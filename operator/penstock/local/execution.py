"""One execution on this machine: ask the engine, run what it asks for, tell it what happened.

The status lives in memory only. All that differs from a cluster is here: an attempt is a coroutine
in place of a Job, and the end of it an event in a queue in place of a watch.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from penstock.engine.actions import AttemptKey, Observation, Report, StartAttempt, Step, StopAttempt
from penstock.engine.engine import Engine
from penstock.engine.identity import Identity
from penstock.local.ending import killed
from penstock.resources.execution import ExecutionSpec, ExecutionStatus, State, TaskRun

OnLog = Callable[[str, str], None]
"""Is given the stream (`stdout` or `stderr`) and one line."""

RunTask = Callable[[StartAttempt, OnLog], Awaitable[Observation]]
"""Runs one attempt to its end. Cancelling it kills the task."""

MAX_PROCESSES = 64
"""Attempts that run at once, whatever the flow asks for: one machine is not a cluster."""


class Watcher(Protocol):
    """Whoever looks on."""

    def changed(self, status: ExecutionStatus) -> None:
        """The execution's status is another."""

    def logged(self, run: TaskRun, stream: str, line: str) -> None:
        """A task wrote a line."""

    def reported(self, report: Report) -> None:
        """The engine has something to say."""


class NothingLeft(Exception):
    """The execution is open although nothing can happen any more: a fault of Penstock."""


class LocalExecution:
    """An execution and the tasks that it runs."""

    def __init__(
        self,
        engine: Engine,
        identity: Identity,
        spec: ExecutionSpec,
        watcher: Watcher,
        run_task: RunTask,
    ) -> None:
        self._engine = engine
        self._identity = identity
        self._spec = spec
        self._watcher = watcher
        self._run_task = run_task
        self._events: asyncio.Queue[tuple[AttemptKey, Observation] | None] = asyncio.Queue()
        self._slots = asyncio.Semaphore(MAX_PROCESSES)
        self._running: dict[AttemptKey, asyncio.Task[None]] = {}
        self._seen: dict[AttemptKey, Observation] = {}
        self._stop_reason: str | None = None
        self._fault: Exception | None = None
        self.refusal: str | None = None
        """In one word why the execution was refused before anything of it ran."""

    async def run(self, timeout: timedelta | None = None) -> ExecutionStatus:
        """Run to the end, or until the execution is paused."""
        if timeout is not None:
            seconds = timeout.total_seconds()
            reason = f"killed: it ran longer than the timeout of {seconds:g}s"
            asyncio.get_running_loop().call_later(seconds, self.stop, reason)
        try:
            step = self._engine.begin(self._identity, self._spec, _now())
            if step.status.state.terminated and not step.status.task_runs and step.reports:
                self.refusal = step.reports[-1].reason
            self._take(step)
            while not step.status.state.terminated and self._stop_reason is None:
                if not self._running and step.wake is None:
                    if step.status.state is State.PAUSED:
                        return step.status
                    raise NothingLeft(f"the execution is {step.status.state} and nothing runs")
                await self._wait(step.wake)
                step = self._engine.advance(self._identity, step.status, self._seen, _now())
                self._take(step)
        finally:
            await self._end_tasks()
        if self._fault is not None:
            raise self._fault
        if step.status.state.terminated or self._stop_reason is None:
            return step.status
        status = killed(step.status, self._stop_reason, _now())
        self._watcher.changed(status)
        return status

    def stop(self, reason: str) -> None:
        """Kill whatever runs; the execution ends KILLED for that reason."""
        self._stop_reason = self._stop_reason or reason
        self._events.put_nowait(None)

    def _take(self, step: Step) -> None:
        for key in [key for key, seen in self._seen.items() if seen.state.terminated]:
            del self._seen[key]
            self._running.pop(key, None)
        for action in step.actions:
            if isinstance(action, StopAttempt):
                if (task := self._running.get(action.key)) is not None:
                    task.cancel()
            elif isinstance(action, StartAttempt) and action.key not in self._running:
                self._seen[action.key] = Observation(State.CREATED)
                self._running[action.key] = asyncio.create_task(self._attempt(action))
        for report in step.reports:
            self._watcher.reported(report)
        self._watcher.changed(step.status)

    async def _attempt(self, start: StartAttempt) -> None:
        def on_log(stream: str, line: str) -> None:
            if self._fault is not None:
                return
            try:
                self._watcher.logged(start.task_run, stream, line)
            except Exception as error:  # such as a pipe that nobody reads any more
                self._fault = error
                self.stop("killed: nobody can look on any more")

        async with self._slots:
            began = _now()
            self._events.put_nowait((start.key, Observation(State.RUNNING, start_date=began)))
            try:
                seen = await self._run_task(start, on_log)
            except asyncio.CancelledError:
                self._events.put_nowait((start.key, Observation(State.KILLED, began, _now())))
                raise
            except Exception as error:
                message = f"{type(error).__name__}: {error}"
                seen = Observation(State.FAILED, began, _now(), None, "InternalError", message)
        self._events.put_nowait((start.key, seen))

    async def _wait(self, wake: datetime | None) -> None:
        """Take in what happens next, and whatever else has happened by then."""
        seconds = None if wake is None else max((wake - _now()).total_seconds(), 0)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                self._note(await self._events.get())
        while not self._events.empty():
            self._note(self._events.get_nowait())

    def _note(self, event: tuple[AttemptKey, Observation] | None) -> None:
        if event is not None and event[0] in self._running:
            self._seen[event[0]] = event[1]

    async def _end_tasks(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()


def local_environment(prefix: str = "ENV_") -> Mapping[str, str]:
    """What expressions see as `envs.…`: the same choice by prefix as in the controller."""
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in os.environ.items()
        if name.startswith(prefix)
    }


def _now() -> datetime:
    return datetime.now(UTC)
