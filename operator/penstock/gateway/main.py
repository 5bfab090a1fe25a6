"""Start the gateway: connect, follow the Flows, and serve."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from penstock.gateway.app import gateway_app
from penstock.gateway.flows import WebhookFlows
from penstock.gateway.limits import Limits
from penstock.gateway.pushes import Pushes
from penstock.gateway.switches import Switches
from penstock.gateway.webhooks import WAITS, Webhooks
from penstock.kubernetes.api.client import Api, connect

PORT = 8084
_SILENCE = 15.0
"""Seconds for which a client may take to send the headers of a request, the first or the next."""
_READ_BYTES = 16 * 1024
"""Bytes of a body that are read before its turn has come, about."""
_LINGER = 2.0
"""Seconds for which a client that was refused may go on sending."""
_FAREWELL = 3.0
"""Seconds for which new calls are taken after SIGTERM."""
_SHUTDOWN = 20.0
"""Seconds that calls have to end when the pod goes; those that wait for an execution break off."""

logger = logging.getLogger(__name__)


def run(namespaces: Sequence[str], port: int = PORT) -> None:
    """Serve these namespaces, all where none is named, until SIGTERM."""
    logging.basicConfig(
        level=os.environ.get("PENSTOCK_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    asyncio.run(_run(namespaces, port))


async def _run(namespaces: Sequence[str], port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with connect() as api, serving(api, namespaces, port):
        logger.info("the gateway has started, on port %d", port)
        await stop.wait()
        # Whoever sends learns somewhat later that this pod goes.
        await asyncio.sleep(_FAREWELL)


@asynccontextmanager
async def serving(
    api: Api,
    namespaces: Sequence[str] = (),
    port: int = PORT,
    host: str | None = None,
    waits: float = WAITS,
) -> AsyncIterator[web.AppRunner]:
    """Serve while the block runs."""
    flows, switches = WebhookFlows(api, namespaces), Switches(api, namespaces)
    webhooks = Webhooks(api, flows, switches, Limits(), waits)
    app = gateway_app(webhooks, Pushes(api), lambda: flows.is_listed and switches.is_listed)
    # A client that leaves ends its call, and with it the watch of an execution.
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=_SILENCE,
        lingering_time=_LINGER,
        read_bufsize=_READ_BYTES,
        shutdown_timeout=_SHUTDOWN,
    )
    following = [asyncio.create_task(each.run()) for each in (flows, switches)]
    await runner.setup()
    try:
        await web.TCPSite(runner, host=host, port=port).start()
        yield runner
    finally:
        await runner.cleanup()
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
