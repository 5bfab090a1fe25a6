"""Where Git runs: in the service that the chart installs, else in a child process.

A controller outside of a cluster has no service. The child is of no use as a fence: it is there so
that such a controller does what one in a cluster does, by the same way.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from penstock.controller.app.own_services import OwnServices
from penstock.controller.gitsources.git_client import GitClient
from penstock.controller.runtime.certificates import Certificates
from penstock.controller.runtime.settings import GitSettings
from penstock.network import RefusedNetworks
from penstock.tls.trust import GIT

_START_SECONDS = 60.0
_END_SECONDS = 10.0


@asynccontextmanager
async def git_service(
    settings: GitSettings,
    services: OwnServices,
    refused: RefusedNetworks,
    certificates: Certificates | None = None,
) -> AsyncIterator[GitClient]:
    """Git, by way of the service that the settings or the environment name; where neither does, by
    way of a child process that ends with the block. The service of the environment is known by the
    installation's certificates, where there are some."""
    url, name = settings.service_url, os.environ.get("PENSTOCK_GIT_SERVICE")
    if url is not None or name is not None:
        token = Path(os.environ.get("PENSTOCK_GIT_TOKEN", "/var/run/secrets/penstock-git/token"))
        # A URL that an administrator names is that of something in front of the service.
        ours = certificates if url is None else None
        trust = None if ours is None else partial(ours.trust, GIT)

        async def address() -> str:
            if url is not None:
                return url
            return await services.url(name or "", "http" if trust is None else "https")

        # The kubelet writes it anew before it runs out.
        client = GitClient(address, lambda: token.read_text().strip(), refused, trust)
        try:
            yield client
        finally:
            await client.close()
        return
    with TemporaryDirectory(prefix="penstock-git-cache-") as cache:
        async with started(Path(cache)) as client:
            yield client


@asynccontextmanager
async def started(
    cache: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[GitClient]:
    """A Git service as a child process, on a port of the loopback that is free. It ends with the
    block, and with this process."""
    secret = secrets.token_urlsafe(32)
    variables = {
        **os.environ,
        **(environment or {}),
        "PENSTOCK_GIT_CACHE": str(cache),
        "PENSTOCK_GIT_SECRET": secret,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "penstock.cli", "git", "--port", "0"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=variables,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            port = (await process.stdout.readline()).decode().strip()
        if not port.isdigit():
            raise RuntimeError("the Git service did not start; its log says why")

        async def address() -> str:
            return f"http://127.0.0.1:{port}"

        client = GitClient(address, lambda: secret)
        try:
            yield client
        finally:
            await client.close()
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
