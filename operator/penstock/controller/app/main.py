"""Start the controller: connect, list what is there, serve probes, and let kopf watch."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import kopf

from penstock.controller.app.assembly import Operator
from penstock.controller.app.git_service import git_service
from penstock.controller.app.handlers import register
from penstock.controller.app.metrics_endpoint import MetricsReaders, metrics_app
from penstock.controller.app.own_services import OwnServices
from penstock.controller.app.probes import probe_app, serve
from penstock.controller.app.reconcilers import SOURCE_WORKERS
from penstock.controller.runtime.bench import Bench
from penstock.controller.runtime.certificates import Certificates
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.settings import Settings, settings_of_environment
from penstock.kubernetes.api.client import connect

METRICS_PORT = 8080
PROBE_PORT = 8081

logger = logging.getLogger(__name__)


def run() -> None:
    """Run until SIGTERM. The environment says where the settings are."""
    logging.basicConfig(
        level=os.environ.get("PENSTOCK_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.getLogger("kopf").setLevel(logging.WARNING)
    settings = settings_of_environment()
    image = os.environ.get("PENSTOCK_IMAGE")
    if image:
        settings = settings.model_copy(update={"jobs": {"image": image, **settings.jobs}})
    notes = Path(os.environ.get("PENSTOCK_BENCH") or Path(tempfile.gettempdir(), "penstock-bench"))
    bench = open_bench(notes, settings)
    try:
        asyncio.run(_run(settings, bench))
    finally:
        if bench is not None:
            bench.close()  # whatever ended it, it was no death


def open_bench(folder: Path, settings: Settings) -> Bench | None:
    """Open the bench that outlives the process; None where there is no place for it."""
    try:
        return Bench(folder, settings.workers + SOURCE_WORKERS)
    except OSError as error:
        logger.warning("nothing can be quarantined, as %s can't be written: %s", folder, error)
        return None


async def _run(settings: Settings, bench: Bench | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    metrics = Metrics()
    refused = settings.refused_networks
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(connect(metrics.api_called))
        services = OwnServices(api)
        beside = [asyncio.create_task(services.are_refused(refused))]
        certificates = Certificates.of_environment(api)
        if certificates is not None:  # the services wait for them
            beside.append(asyncio.create_task(certificates.run()))
        git = await stack.enter_async_context(
            git_service(settings.git, services, refused, certificates)
        )
        operator = Operator(api, settings, metrics, git, refused, bench, certificates)
        ready = asyncio.Event()
        await serve(probe_app(operator.queue, ready.is_set), PROBE_PORT)
        await serve(metrics_app(metrics, MetricsReaders(api)), METRICS_PORT)
        work = asyncio.create_task(operator.run())
        work.add_done_callback(lambda _: stop.set())
        listed = asyncio.create_task(operator.listed.wait())
        await asyncio.wait({work, listed}, return_when=asyncio.FIRST_COMPLETED)
        spare_long_lived_objects()
        watch = asyncio.create_task(watch_cluster(settings, operator, stop, ready))
        # Kopf takes the signals over while it runs: its end is our signal.
        watch.add_done_callback(lambda _: stop.set())
        logger.info("the controller has started")
        await stop.wait()
        if bench is not None:
            bench.close()
        await asyncio.wait({watch}, timeout=10)
        for task in (*beside, work):
            task.cancel()
        await asyncio.wait({work}, timeout=5)
        for task in (work, watch):
            if task.done() and not task.cancelled() and task.exception() is not None:
                raise SystemExit(f"the controller failed: {task.exception()!r}")


def spare_long_lived_objects() -> None:
    """Let the garbage collector pass over what is there now, and look less often at the rest.

    It stops the event loop while it looks at each object. What was imported and listed stays for
    long, and would be looked at again whenever some thousand Executions are new: a quarter of the
    controller's time, in pauses that everybody waits for. Cycles are rare here, and small.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def watch_cluster(
    settings: Settings, operator: Operator, stop: asyncio.Event, ready: asyncio.Event
) -> None:
    """Let kopf tell the operator what happens in the cluster, until `stop`."""
    registry = kopf.OperatorRegistry()
    register(registry, operator)
    await kopf.operator(
        registry=registry,
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        stop_flag=stop,
        ready_flag=ready,
    )
