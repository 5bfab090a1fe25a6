"""How the records that a thread gives become an answer over HTTP, piece by piece."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError, Executor
from concurrent.futures import TimeoutError as TellTimeout
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from penstock.git.model import Cancelled, Deadline, GitError
from penstock.git.wire import Done, Failed, Told, encoded
from penstock.turns import Turn

SIGN_OF_LIFE = 10.0
"""Seconds between two empty lines of an answer that has to wait."""
LONGEST_SILENCE = 300.0
"""Seconds for which whoever asked may take nothing, with a file of its own in between."""

logger = logging.getLogger(__name__)

Tell = Callable[[Told], None]
"""Hands on one record; blocks while whoever asked takes no more, and raises once it has gone."""


class Answer:
    """One answer, which has begun."""

    def __init__(self, response: web.StreamResponse) -> None:
        self.response = response
        self._alive = asyncio.create_task(self._show_life())

    async def tell(self, told: Told) -> None:
        """Send one record."""
        self._alive.cancel()
        await self.response.write(encoded(told))

    async def end(self) -> None:
        self._alive.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await self._alive

    async def _show_life(self) -> None:
        while True:
            await self.response.write(b"\n")
            await asyncio.sleep(SIGN_OF_LIFE)


@asynccontextmanager
async def answering(request: web.Request) -> AsyncIterator[Answer]:
    """An answer to a request, from now on: the wait for its turn is a part of it."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    answer = Answer(response)
    try:
        yield answer
        await response.write_eof()
    finally:
        await answer.end()


async def told_by_thread(
    answer: Answer, turn: Turn, deadline: Deadline, threads: Executor, work: Callable[[Tell], None]
) -> None:
    """Let a thread work, and tell what it gives, to the end mark.

    Once whoever asked has gone, the thread is told to end: its git is killed. Its turn is not over
    before that.
    """
    loop = asyncio.get_running_loop()

    def tell(told: Told) -> None:
        try:
            asyncio.run_coroutine_threadsafe(answer.tell(told), loop).result(LONGEST_SILENCE)
        except TellTimeout:
            raise Cancelled from None

    def worked() -> Told | None:
        """The end mark; None where there is none to tell: whoever still listens sees that the
        answer is cut off."""
        try:
            work(tell)
        except GitError as error:
            return Failed(error)
        except (Cancelled, CancelledError, ConnectionError):
            return None
        except Exception as error:  # of git, of the disk: whatever it is, it is told
            logger.exception("a call failed")
            message = f"The Git service made an error ({type(error).__name__}); its log says more."
            return Failed(GitError("GitOperationFailed", message))
        return Done()

    work_done = loop.run_in_executor(threads, worked)
    turn.passed_on = True
    work_done.add_done_callback(lambda _: turn.give_back())
    try:
        end = await asyncio.shield(work_done)
    except asyncio.CancelledError:
        deadline.cancel()
        raise
    if end is not None:
        await answer.tell(end)
