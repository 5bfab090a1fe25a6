"""The controller in a process of its own, which can be killed at any instant and started anew."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from e2e.apiserver import process
from e2e.apiserver.faults import Call, Faults, calls_in
from e2e.bench.podclient import peak_mib
from penstock.controller.runtime.settings import Settings
from penstock.storage.key import create_key
from penstock.storage.settings import opened

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([process.__name__])
_PATIENCE = 60.0
_RESTART = 0.5
"""Seconds until a controller that ended by itself is started again, as a kubelet does."""
_TOLD = 20_000
"""Characters of a log's end that are shown."""


def prepare() -> None:
    """Let everything be imported that controllers need: those that follow start in a moment."""
    first = _CONTEXT.Process(target=time.monotonic)
    first.start()
    first.join()


class Controller:
    """One controller after the other."""

    def __init__(self, folder: Path, kubeconfig: Path, **settings: Any) -> None:
        url = f"file://{folder / 'storage'}"
        storage = {"url": url, "service_url": "http://storage"}
        self._settings = Settings.model_validate({"storage": storage, **settings})
        create_key(opened(self._settings.storage))
        self._folder = folder
        self._kubeconfig = kubeconfig
        self._process: ForkServerProcess | None = None
        self._work: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.faults: Faults = _CONTEXT.RawValue(Faults)
        self.faults.longest_delay = 0.3
        self.seed = 0
        """What the faults are drawn from."""
        self.starts = 0
        self.deadly: Path | None = None
        """While this file is there, executions of the flow `deadly` end the process."""
        self.crashes: list[str] = []
        """How controllers ended that nobody killed."""

    def choose(self, **settings: Any) -> None:
        """Let those that start from now on have other settings, by the names of their fields."""
        self._settings = self._settings.model_copy(update=settings)

    @property
    def calls(self) -> list[Call]:
        """All calls that were made, by all controllers."""
        files = [self._file("calls", start) for start in range(1, self.starts + 1)]
        return [call for file in files for call in calls_in(file)]

    def start(self) -> None:
        """Start it; one that ends by itself is started again."""
        self._stopping = asyncio.Event()
        self._work = asyncio.create_task(self._keep_running(self._stopping))

    async def ready(self) -> None:
        """Wait until it watches."""
        deadline = time.monotonic() + _PATIENCE
        while not self._file("ready").exists():
            assert time.monotonic() < deadline, f"it does not start: {self.told()}"
            await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """End it wherever it is."""
        self._stopping.set()
        if self._process is not None:
            self._process.kill()
        if self._work is not None:
            await self._work

    def peak_mib(self) -> int:
        """The most memory that the process had so far."""
        assert self._process is not None, "it does not run"
        return peak_mib(self._process.pid or 0)

    async def tell(self) -> str:
        """What it is at, and what its log says."""
        if self._process is not None and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGUSR1)
            await asyncio.sleep(1)
        return self.told()

    def told(self) -> str:
        """The end of its log."""
        log = self._file("log")
        return log.read_text(errors="replace")[-_TOLD:] if log.exists() else "it has no log"

    def logs(self) -> str:
        """The whole logs of all controllers."""
        files = [self._file("log", start) for start in range(1, self.starts + 1)]
        return "\n".join(file.read_text(errors="replace") for file in files)

    def _file(self, kind: str, start: int | None = None) -> Path:
        return self._folder / f"controller-{start or self.starts}.{kind}"

    async def _keep_running(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self.starts += 1
            running = self._process = _CONTEXT.Process(
                target=process.run, args=(self._next_start(), self.faults), daemon=True
            )
            running.start()
            await asyncio.to_thread(running.join)
            self._process = None
            if not stopping.is_set():
                self.crashes.append(f"exit code {running.exitcode}: {self.told()}")
                with suppress(TimeoutError):
                    async with asyncio.timeout(_RESTART):
                        await stopping.wait()
            running.close()

    def _next_start(self) -> process.Start:
        return process.Start(
            settings=self._settings,
            kubeconfig=self._kubeconfig,
            seed=f"{self.seed} {self.starts}",
            calls=self._file("calls"),
            log=self._file("log"),
            ready=self._file("ready"),
            bench=self._folder / "bench" if self.deadly is not None else None,
            deadly=self.deadly,
        )
