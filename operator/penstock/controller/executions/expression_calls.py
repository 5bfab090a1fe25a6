"""The calls that expressions wait for: each in a thread, one tenant after the other, and given up
once nobody wants its answer any more."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from penstock.tasks.contract.task import TaskFailure
from penstock.turns import Turns

T = TypeVar("T")


class Interruption:
    """Ends a call from outside of its thread: its connections are shut, and it opens no more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = False
        self._connections: list[socket.socket] = []

    def watch(self, connection: socket.socket) -> socket.socket:
        """Return a connection of the call, which is shut when the call ends. Raises
        :class:`TaskFailure` where that has ended already."""
        copy = connection.dup()  # TLS takes the descriptor out of the socket that it is given
        with self._lock:
            if not self._ended:
                self._connections.append(copy)
                return connection
        copy.close()
        connection.close()
        raise TaskFailure("nobody waits for the answer any more")

    def end(self) -> None:
        """Wake the thread if it waits for a server. Ending a call again does nothing."""
        with self._lock:
            self._ended = True
            connections, self._connections = self._connections, []
        for connection in connections:
            with suppress(OSError):  # the server, or the call itself, has closed it
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class Calls:
    """Runs so many calls at once, and of each tenant as many as its share. What waits for its turn
    has no thread, and its time has not begun."""

    def __init__(self, name: str, at_once: int, per_tenant: int) -> None:
        """``name`` is that of the threads."""
        self._turns = Turns(at_once, per_tenant)
        self._threads = ThreadPoolExecutor(at_once, name)

    async def answer(self, tenant: str, call: Callable[[Interruption], T], seconds: float) -> T:
        """Wait for a turn, then for what a call gives. It is ended where it takes longer than so
        many seconds, which raises ``TimeoutError``, and where whoever waits here is cancelled."""
        async with self._turns.turn(tenant) as turn:
            interruption = Interruption()
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._threads, call, interruption)
            # A call that does not end at once, such as while a name is looked up, has its thread
            # for so long, and its tenant's share of them.
            turn.passed_on = True
            running.add_done_callback(lambda _: turn.give_back())
            try:
                await asyncio.wait({running}, timeout=seconds)
            finally:
                interruption.end()
            if not running.done():
                raise TimeoutError
            return running.result()
