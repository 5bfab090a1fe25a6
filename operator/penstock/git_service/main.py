"""Start the Git service: who may ask, and how much disk it has, the environment says."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from kubernetes.utils.quantity import parse_quantity

from penstock.git.disk import CacheDisk
from penstock.git_service.app import GitService
from penstock.git_service.door import Door, ReviewDoor, SecretDoor
from penstock.kubernetes.api.client import connect
from penstock.network import RefusedNetworks
from penstock.tls.entrance import by_tls

PORT = 8083
SECRET = "PENSTOCK_GIT_SECRET"
"""The variable with which a controller that starts the service says how it shows who it is."""
_READ_BYTES = 64 * 1024
_IDLE = 30.0
"""Seconds without a request after which a connection is closed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What the environment says."""

    cache: Path
    cache_bytes: int
    """How much of the disk is used: less than the volume has, so that what git writes between two
    looks does not fill it."""
    user: str
    """The controller's service account, as the API server names it."""
    secret: str
    """Is not empty where the controller has started this process, on its own machine."""

    @classmethod
    def from_environment(cls) -> Options:
        volume = parse_quantity(os.environ.get("PENSTOCK_GIT_CACHE_SIZE", "2Gi"))
        return cls(
            Path(os.environ.get("PENSTOCK_GIT_CACHE", "/var/cache/penstock")),
            int(volume * 3 / 4),
            os.environ.get("PENSTOCK_GIT_USER", ""),
            os.environ.pop(SECRET, ""),
        )


def run(refused: RefusedNetworks, port: int = PORT) -> None:
    """Serve until SIGTERM; where a controller has started it, until that one ends."""
    logging.basicConfig(
        level=os.environ.get("PENSTOCK_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    options = Options.from_environment()
    if not options.secret and not options.user:
        raise SystemExit("PENSTOCK_GIT_USER must name the controller's service account")
    asyncio.run(_run(options, refused, port))


async def _run(options: Options, refused: RefusedNetworks, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    disk = await asyncio.to_thread(CacheDisk, options.cache, options.cache_bytes)
    async with _door(options) as door:
        service = GitService(door, disk, refused)
        # Whoever asked and went away ends the call: see `told_by_thread`.
        runner = web.AppRunner(
            service.app(),
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=_IDLE,
            shutdown_timeout=1,
        )
        await runner.setup()
        async with _served(runner, options, port):
            if options.secret:
                print(runner.addresses[0][1], flush=True)  # the controller reads the port
                await _stop_with_parent(stop)
            await stop.wait()
        await runner.cleanup()


@asynccontextmanager
async def _served(runner: web.AppRunner, options: Options, port: int) -> AsyncIterator[None]:
    """Serve by TLS in a cluster; to a controller that has started this process, on the loopback."""
    assert runner.server is not None
    if options.secret:
        await web.TCPSite(runner, host="127.0.0.1", port=port).start()
        yield
        return
    async with by_tls(runner.server, port) as is_encrypted:
        if not is_encrypted:
            await web.TCPSite(runner, port=port).start()
        how = "TLS" if is_encrypted else "plain HTTP"
        logger.info("the Git service serves by %s, with %d bytes", how, options.cache_bytes)
        yield


@asynccontextmanager
async def _door(options: Options) -> AsyncIterator[Door]:
    if options.secret:
        yield SecretDoor(options.secret)
        return
    async with connect() as api:
        yield ReviewDoor(api, options.user)


async def _stop_with_parent(stop: asyncio.Event) -> None:
    """Stop once nobody holds the other end of the standard input any more."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )

    async def wait() -> None:
        while await reader.read(_READ_BYTES):
            continue
        stop.set()

    task = asyncio.create_task(wait())
    task.add_done_callback(lambda _: stop.set())
