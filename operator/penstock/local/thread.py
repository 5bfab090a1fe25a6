"""Runs a core task in a thread of this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from penstock.tasks.contract.services import Services, at_least
from penstock.tasks.contract.task import CoreTask, TaskFailure, TaskStopped

OnMessage = Callable[[str, str], None]
"""Is given the level and one message, which may have several lines."""


class ThreadContext:
    """The context of a core task in a thread: it can be told to stop."""

    def __init__(
        self, on_message: OnMessage, services: Services | None, log_level: str | None
    ) -> None:
        self._on_message = on_message
        self._services = services
        self._log_level = log_level
        self._stopping = threading.Event()

    def log(self, message: str, level: str = "INFO") -> None:
        if self._stopping.is_set():
            raise TaskStopped
        if at_least(level, self._log_level):
            self._on_message(level, message)

    def wait(self, seconds: float) -> None:
        if self._stopping.wait(min(seconds, threading.TIMEOUT_MAX)):
            raise TaskStopped

    @property
    def services(self) -> Services:
        if self._services is None:
            raise TaskFailure("the task needs the internal storage, and there is none")
        return self._services

    def stop(self) -> None:
        self._stopping.set()


async def run_in_thread(
    task: CoreTask,
    timeout: timedelta | None,
    on_message: OnMessage,
    services: Services | None = None,
    log_level: str | None = None,
) -> Mapping[str, Any] | None:
    """Run a task in a thread, and give its outputs. Raises ``TimeoutError``, and whatever the task
    raises."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Mapping[str, Any] | None] = loop.create_future()
    context = ThreadContext(
        lambda level, message: _call(loop, on_message, level, message), services, log_level
    )

    def work() -> None:
        try:
            outputs = task.run(context)
        except TimeoutError as error:  # a connection's timeout, not the task's own
            _call(loop, _set_exception, ended, TaskFailure(f"TimeoutError: {error}"))
        except BaseException as error:
            _call(loop, _set_exception, ended, error)
        else:
            _call(loop, _set_result, ended, outputs)

    threading.Thread(target=work, name="task", daemon=True).start()
    try:
        async with asyncio.timeout(timeout.total_seconds() if timeout is not None else None):
            return await ended
    finally:
        context.stop()


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *given: Any) -> None:
    with suppress(RuntimeError):  # the loop is closed: nothing waits any more
        loop.call_soon_threadsafe(function, *given)


def _set_result(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _set_exception(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
