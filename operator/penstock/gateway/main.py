"""Start the gateway: connect, follow the Flows, and serve."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from penstock.gateway.app import gateway_app
from penstock.gateway.files import TriggerFiles
from penstock.gateway.flows import WebhookFlows
from penstock.gateway.handover import Handover
from penstock.gateway.limits import MOST_WAITS, Limits
from penstock.gateway.pushes import Pushes
from penstock.gateway.source_flows import SourceFlows
from penstock.gateway.switches import Switches
from penstock.gateway.webhooks import WAITS, Webhooks
from penstock.kubernetes.api.client import CONNECTIONS, Api, connect

PORT = 8084
_SILENCE = 75.0
"""Seconds within which the headers of a request come, the first or the next. Proxies keep their
connections for a minute, and must not find one closed that they are about to use."""
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
    # Each watch has a connection of its own: of an answer that waits, and of what is followed.
    watches = MOST_WAITS + 2 * max(len(namespaces), 1)
    connecting = connect(connections=CONNECTIONS + watches)
    async with connecting as api, serving(api, namespaces, port) as gateway:
        logger.info("the gateway has started, on port %d", port)
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait(
            {stopped, *gateway.following}, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done - {stopped}:  # what it knows would be older and older
            raise SystemExit(f"the gateway failed: {task.exception()!r}")
        # Whoever sends learns somewhat later that this pod goes.
        await asyncio.sleep(_FAREWELL)


@dataclass(frozen=True)
class Serving:
    """A gateway at work."""

    runner: web.AppRunner
    following: Sequence[asyncio.Task[None]]
    """The tasks that keep what it knows up to date. None of them ends by itself."""

    @property
    def port(self) -> int:
        port: int = self.runner.addresses[0][1]
        return port


@asynccontextmanager
async def serving(
    api: Api,
    namespaces: Sequence[str] = (),
    port: int = PORT,
    host: str | None = None,
    waits: float = WAITS,
) -> AsyncIterator[Serving]:
    """Serve while the block runs."""
    limits = Limits()
    sources, switches = SourceFlows(), Switches(api, namespaces)
    flows = WebhookFlows(api, limits, namespaces, sources)
    files = TriggerFiles.of_environment()
    webhooks = Webhooks(api, flows, switches, limits, files, waits)
    handover = Handover(api, sources, switches, limits, flows.language, files)
    app = gateway_app(
        webhooks, Pushes(api), handover, lambda: flows.is_listed and switches.is_listed
    )
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
        yield Serving(runner, following)
    finally:
        await runner.cleanup()
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
