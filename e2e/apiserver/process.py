"""The process of a controller: put together as for a cluster, with calls that fail.

It is forked from a process that has imported everything, so that it starts in a moment, and it ends
with the tests, however they end.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pprint import pformat
from random import Random
from typing import Any

from kubernetes import aio

from e2e.apiserver import clock
from e2e.apiserver.faults import Faults, FaultyClient, writer_of
from penstock.controller.app.assembly import Operator
from penstock.controller.app.main import open_bench, watch_cluster
from penstock.controller.gitsources.git_client import GitClient
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.settings import Settings
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import Step
from penstock.kubernetes.api.client import Api

_STANDING = 1.5
"""After how many seconds without a turn of the event loop the log tells where it stands."""


@dataclass(frozen=True)
class Start:
    """All that one controller is started with."""

    settings: Settings
    kubeconfig: Path
    seed: str
    calls: Path
    """Where it writes down its calls."""
    log: Path
    ready: Path
    """The file that it makes once it watches."""
    bench: Path | None = None
    """Where it notes what it reconciles."""
    deadly: Path | None = None
    """While this file is there, the process dies where an execution of the flow `deadly` begins."""


def run(start: Start, faults: Faults) -> None:
    """Run a controller until it is killed. On SIGUSR1 its log tells what it is at."""
    threading.Thread(target=_end_with_the_tests, daemon=True).start()
    with start.log.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    faulthandler.enable()
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    os.environ["KUBECONFIG"] = str(start.kubeconfig)  # for kopf
    clock.install(faults)
    if start.deadly is not None:
        _die_at_deadly_flows(start.deadly)
    asyncio.run(_work(start, faults))


def _die_at_deadly_flows(while_there: Path) -> None:
    begin = Engine.begin

    def die_or_begin(engine: Engine, *args: Any) -> Step:
        if engine.flow.id == "deadly" and while_there.exists():
            os._exit(139)
        return begin(engine, *args)

    Engine.begin = die_or_begin  # type: ignore[assignment,method-assign]


def _end_with_the_tests() -> None:
    tests = multiprocessing.parent_process()
    assert tests is not None
    tests.join()
    os.kill(os.getpid(), signal.SIGKILL)


async def connected(kubeconfig: Path) -> Any:
    """A client of the API server that a kubeconfig names; it is to be closed."""
    configuration = aio.client.Configuration()
    await aio.config.load_kube_config(
        config_file=str(kubeconfig), client_configuration=configuration
    )
    configuration.connection_pool_maxsize = 64
    return aio.client.ApiClient(configuration)


async def _nowhere() -> str:
    return "http://127.0.0.1:9"


async def _work(start: Start, faults: Faults) -> None:
    client = await connected(start.kubeconfig)
    write = writer_of(start.calls)
    api = Api(FaultyClient(client, faults, Random(start.seed), write))
    bench = None if start.bench is None else open_bench(start.bench, start.settings)
    git = GitClient(_nowhere, lambda: "")  # no test of this tier has a GitSource
    operator = Operator(api, start.settings, Metrics(), git, bench=bench)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, partial(_tell, operator))
    ready = asyncio.Event()
    standing = asyncio.create_task(_tell_where_it_stands())
    work = asyncio.create_task(operator.run())
    await operator.listed.wait()
    watching = asyncio.create_task(watch_cluster(start.settings, operator, asyncio.Event(), ready))
    await ready.wait()
    start.ready.touch()
    done, _ = await asyncio.wait({work, watching, standing}, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    raise RuntimeError("the controller ended by itself")


async def _tell_where_it_stands() -> None:
    """Whenever nothing moved for a while, the log tells where every thread is."""
    while True:
        faulthandler.dump_traceback_later(_STANDING)
        await asyncio.sleep(_STANDING / 4)


def _tell(operator: Operator) -> None:
    """What it knows of executions, what is queued, and what every task waits at."""
    for body in operator.runtime.stores.executions:
        meta = body["metadata"]
        state = (body.get("status") or {}).get("state")
        print(meta["name"], meta["uid"], meta["resourceVersion"], state)
    print(pformat(vars(operator.runtime.reconcilers.queue)))
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stdout)
    sys.stdout.flush()
