"""Start the storage service: make the key, open the storage, and serve."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from penstock.kubernetes.api.client import Api, connect
from penstock.storage.key import create_key
from penstock.storage.settings import StorageSettings, opened
from penstock.storage.usage import Usage
from penstock.storage_service.app import runner_of, storage_app
from penstock.storage_service.door import Door
from penstock.storage_service.exchange import Exchange
from penstock.storage_service.log_door import LogDoor
from penstock.storage_service.logs import Logs
from penstock.storage_service.multipart import parts_for
from penstock.storage_service.objects import Objects
from penstock.storage_service.urls import urls_for
from penstock.tls.entrance import by_tls

PORT = 8082
ABANDONED = 24 * 3600.0
"""Seconds after which an unfinished file is removed."""

_THREADS = 64
"""Threads that wait for the disk or the store: more than the requests and readers of logs that
there may be at once, so that transfers always find some."""

logger = logging.getLogger(__name__)


def run(settings: StorageSettings, port: int = PORT) -> None:
    """Start the service, and serve until SIGTERM."""
    logging.basicConfig(
        level=os.environ.get("PENSTOCK_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    asyncio.run(_run(settings, port))


async def _run(settings: StorageSettings, port: int) -> None:
    async with connect() as api:
        await serve(settings, port, api)


async def serve(settings: StorageSettings, port: int, api: Api) -> None:
    """Serve until SIGTERM or SIGINT. The API server tells which Jobs still run."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = await asyncio.to_thread(_made, settings, api)
    runner = runner_of(app)
    await runner.setup()
    assert runner.server is not None
    async with by_tls(runner.server, port) as is_encrypted:
        if not is_encrypted:
            await web.TCPSite(runner, port=port).start()
        how = "TLS" if is_encrypted else "plain HTTP"
        logger.info("the storage service serves %s by %s, on port %d", settings.url, how, port)
        await stop.wait()
    await runner.cleanup()


def _made(settings: StorageSettings, api: Api) -> web.Application:
    try:
        storage = opened(settings)
        key = create_key(storage)
        storage.discard_unfinished(ABANDONED)
    except Exception as error:  # each kind of storage has its own errors
        raise SystemExit(
            f"the internal storage {settings.url} can't be used: {type(error).__name__}: {error}"
        ) from error
    urls, parts = urls_for(storage, key), parts_for(storage, key)
    usage = Usage(storage, settings.quota_bytes())
    exchange = Exchange(storage, urls, settings.max_file_bytes, usage, parts)
    door = Door(key, api)
    app = storage_app(door, exchange, Objects(storage, key, usage))
    Logs(storage, door, LogDoor(key)).register(app)
    return app
