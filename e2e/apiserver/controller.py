"""The controller, as it is put together for a cluster, in a thread that can be killed.

Its own calls go through a client that loses some of them before they are sent, some answers after
the call was made, and delays others. All are written down.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from kubernetes import aio

from penstock.controller.app.assembly import Operator
from penstock.controller.app.main import watch_cluster
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.settings import Settings
from penstock.kubernetes.api.client import Api
from penstock.storage.settings import opened
from penstock.storage.signing import create_key

_ABANDONED: list[tuple[asyncio.AbstractEventLoop, set[asyncio.Task[Any]]]] = []
"""What controllers left that were killed. It is kept as it is: were it cleared away, every
`finally` in it would be gone through, which a killed process does not do either."""
# At the end of this process it is cleared away nevertheless, and complains.
atexit.register(lambda: setattr(sys, "unraisablehook", lambda _: None))


@dataclass(frozen=True)
class Call:
    """One call that the controller made."""

    time: float
    verb: str
    path: str
    """With the name of the object, also of one that is to be made."""
    status: int
    """0 where no answer came, though the call may have been made."""
    made: Mapping[str, Any] | None = None
    """The object that a POST made, also where the answer was lost."""


@dataclass
class Faults:
    """How often what goes wrong with calls, as a share of them."""

    random: Random = field(default_factory=Random)
    lost_calls: float = 0.0
    lost_answers: float = 0.0
    delayed: float = 0.0
    longest_delay: float = 0.3
    slow_lists: float = 0.0
    """Seconds by which the answer to every list is late."""


class _Client:
    """As the client of Kubernetes, of which it has what :class:`Api` asks for."""

    def __init__(self, client: Any, faults: Faults, calls: list[Call]) -> None:
        self._client = client
        self._faults = faults
        self._calls = calls
        self.configuration = client.configuration
        self.update_params_for_auth = client.update_params_for_auth

    async def call_api(
        self, verb: str, url: str, headers: Any, body: Any, _request_timeout: Any
    ) -> Any:
        faults, path = self._faults, urlsplit(url).path
        if verb == "POST":
            path = f"{path}/{body['metadata']['name']}"
        if faults.random.random() < faults.delayed:
            await asyncio.sleep(faults.random.uniform(0, faults.longest_delay))
        if faults.random.random() < faults.lost_calls:
            self._note(verb, path, 0)
            raise OSError("the call was lost")
        is_lost = faults.random.random() < faults.lost_answers
        try:
            answer = await self._client.call_api(
                verb, url, headers, body, _request_timeout=_request_timeout
            )
        except Exception:
            self._note(verb, path, 0)
            raise
        if verb == "GET" and "limit=" in url:
            await answer.read()
            await asyncio.sleep(faults.slow_lists)
        made = None
        if verb == "POST" and answer.status < 300:
            made = json.loads(await answer.read())
        self._note(verb, path, 0 if is_lost else answer.status, made)
        if is_lost:
            raise OSError("the answer was lost")
        return answer

    def _note(self, verb: str, path: str, status: int, made: Any = None) -> None:
        self._calls.append(Call(time.monotonic(), verb, path, status, made))


async def connected(kubeconfig: Path) -> Any:
    """A client of the API server that a kubeconfig names; it is to be closed."""
    configuration = aio.client.Configuration()
    await aio.config.load_kube_config(
        config_file=str(kubeconfig), client_configuration=configuration
    )
    configuration.connection_pool_maxsize = 64
    return aio.client.ApiClient(configuration)


class Controller:
    """One controller after the other: it can be killed at any instant, and started anew."""

    def __init__(self, folder: Path, kubeconfig: Path, **settings: Any) -> None:
        url = f"file://{folder / 'storage'}"
        storage = {"url": url, "service_url": "http://storage"}
        self._settings = Settings.model_validate({"storage": storage, **settings})
        create_key(opened(self._settings.storage))
        self._cache = folder / "git"
        self._kubeconfig = kubeconfig
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.faults = Faults()
        self.calls: list[Call] = []
        self.starts = 0
        self.crashes: list[BaseException] = []

    def start(self) -> None:
        """Start it; one that ends by itself is started again, as a kubelet does."""
        self._stopped = threading.Event()
        self._ready.clear()
        self._loop = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    async def ready(self) -> None:
        """Wait until it watches."""
        assert await asyncio.to_thread(self._ready.wait, 60), f"it does not start: {self.crashes}"

    async def kill(self) -> None:
        """End it wherever it is: its loop stops, and not even a `finally` is waited for."""
        self._stopped.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # its loop has ended already
                self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 15)
            assert not self._thread.is_alive(), "it can't be killed"

    def _run(self) -> None:
        stopped = self._stopped
        while not stopped.is_set():
            self.starts += 1
            self._loop = asyncio.new_event_loop()
            # What was under way when it was killed has nobody to tell.
            self._loop.set_exception_handler(lambda loop, context: None)
            try:
                self._loop.run_until_complete(self._work())
            except BaseException as error:
                if not stopped.is_set():
                    self.crashes.append(error)
            _ABANDONED.append((self._loop, asyncio.all_tasks(self._loop)))
            stopped.wait(0.5)

    async def _work(self) -> None:
        if self._stopped.is_set():  # killed before there was anything to cancel
            return
        client = await connected(self._kubeconfig)
        try:
            api = Api(_Client(client, self.faults, self.calls))
            operator = Operator(api, self._settings, Metrics(), self._cache)
            ready = asyncio.Event()
            work = asyncio.create_task(operator.run())
            await operator.listed.wait()
            watching = asyncio.create_task(
                watch_cluster(self._settings, operator, asyncio.Event(), ready)
            )
            await ready.wait()
            self._ready.set()
            done, _ = await asyncio.wait({work, watching}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise RuntimeError("the controller ended by itself")
        finally:
            await client.close()
