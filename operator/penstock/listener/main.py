"""Start the listener: the environment says where the gateway is, and whose listener it is."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiohttp import ClientSession

from penstock.listener.gateway import Gateway
from penstock.listener.rendering import Renderer, Secrets
from penstock.listener.reports import PERIOD, Reports
from penstock.listener.supervisor import Supervisor
from penstock.listener.trigger_run import Workshop

GATEWAY_VARIABLE = "PENSTOCK_GATEWAY"
"""The gateway's URL."""
NAMESPACE_VARIABLE = "PENSTOCK_NAMESPACE"
"""The namespace whose listener it is."""
TOKEN_VARIABLE = "PENSTOCK_GATEWAY_TOKEN"
"""The file with the token for the gateway."""


def run() -> None:
    """Serve the triggers of the namespace until SIGTERM."""
    logging.basicConfig(
        level=os.environ.get("PENSTOCK_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    asyncio.run(_run())


async def _run() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    missing = [name for name in (GATEWAY_VARIABLE, TOKEN_VARIABLE) if not os.environ.get(name)]
    if missing:
        raise SystemExit(
            f"the environment lacks {', '.join(missing)}: the controller starts the listener"
        )
    listening = listener(
        os.environ[GATEWAY_VARIABLE],
        Path(os.environ[TOKEN_VARIABLE]),
        os.environ.get(NAMESPACE_VARIABLE, ""),
        os.environ,
    )
    async with listening as work:
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({stopped, work}, return_when=asyncio.FIRST_COMPLETED)
        if work in done:
            raise SystemExit(f"the listener failed: {work.exception()!r}")


@asynccontextmanager
async def listener(
    gateway: str,
    token_file: Path,
    namespace: str,
    environment: Mapping[str, str],
    reports_every: float = PERIOD,
) -> AsyncIterator[asyncio.Task[None]]:
    """Serve while the block runs."""
    secrets = Secrets(environment)
    async with ClientSession() as session:
        client = Gateway(session, gateway, token_file)
        reports = Reports(client, reports_every)
        shop = Workshop(namespace, client, Renderer(secrets), secrets, reports)
        work = asyncio.create_task(Supervisor(shop).run())
        try:
            yield work
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
