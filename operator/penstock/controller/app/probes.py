"""Liveness and readiness over HTTP.

Liveness is progress, not a reply: it fails when the queue has work and none of it moves, so that a
wedged controller is restarted and a busy one is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from penstock.controller.runtime.queue import KeyedQueue

STALLED_AFTER = 120.0
"""Seconds without any progress after which the controller is restarted."""


def probe_app(queue: KeyedQueue, is_ready: Callable[[], bool]) -> web.Application:
    """`/healthz` and `/readyz`."""

    async def healthz(_: web.Request) -> web.Response:
        stalled = time.monotonic() - queue.last_progress
        alive = stalled < STALLED_AFTER
        text = "ok" if alive else f"no progress for {stalled:.0f} s, {queue.depth} objects wait"
        return web.Response(text=text, status=200 if alive else 503)

    async def readyz(_: web.Request) -> web.Response:
        ready = is_ready()
        return web.Response(text="ok" if ready else "starting", status=200 if ready else 503)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app


async def serve(app: web.Application, port: int) -> web.AppRunner:
    """Listen on all addresses of the pod."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner
