"""A stage beside a test that waits for things itself, in the words of the end-to-end tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from e2e.apiserver.controlplane import ControlPlane
from e2e.apiserver.stage import Stage

T = TypeVar("T")
_PATIENCE = 120.0


@contextmanager
def played(plane: ControlPlane, folder: Path) -> Iterator[Stage]:
    """A stage with a controller at work, in the loop of a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def done(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(_PATIENCE)

    opened = Stage.opened(plane, folder)
    try:
        stage = done(opened.__aenter__())
        try:
            done(_begin(stage))
            yield stage
        finally:
            done(opened.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _begin(stage: Stage) -> None:
    stage.controller.start()
    await stage.controller.ready()
