"""Repositories that are large, and servers that are slow."""

from __future__ import annotations

import os
import socket
import threading

from e2e.bench.hostile.attack import Attack
from e2e.bench.hostile.ground import CORE, Ground
from e2e.gitserver import create_repository

_MIB = 1024 * 1024
_ZEROS = b"\0"


class LargeFiles(Attack):
    name = "h5a"
    does = "namespace files of 4 × 62 MiB from Git"

    def prepare(self, ground: Ground) -> None:
        with ground.repository() as repository:
            repository.git("config", "core.compression", "1")
            repository.commit({f"files/{n}": _ZEROS * 62 * _MIB for n in range(4)})
            self._url = repository.url

    def begin(self, ground: Ground, over: threading.Event) -> None:
        files = [{"namespace": "company.hostile", "path": "files"}]
        ground.git_source("evil", self._url, namespaceFiles=files, interval="10s")


class LargeRepository(Attack):
    name = "h5b"
    does = "6 GitSources on 430 MiB of random files"

    def prepare(self, ground: Ground) -> None:
        with ground.repository() as repository:
            repository.commit({f"files/{n}": os.urandom(_MIB) for n in range(430)})
            self._url = repository.url

    def begin(self, ground: Ground, over: threading.Event) -> None:
        for number in range(6):
            ground.git_source(f"evil-{number}", self._url, path="files", interval="10s")


class LargeBlob(Attack):
    name = "h5c"
    does = "a blob of 500 MiB of a server without filters"

    def prepare(self, ground: Ground) -> None:
        with ground.repository() as repository:
            repository.git("config", "core.compression", "1")
            repository.commit({"files/large": _ZEROS * 500 * _MIB, "a.yaml": "{}"})
            self._url = repository.url
        bare = create_repository(ground.git.root, repository.name)
        config = bare / "config"
        config.write_text(config.read_text().replace("allowFilter = true", "allowFilter = false"))

    def begin(self, ground: Ground, over: threading.Event) -> None:
        ground.git_source("evil", self._url, interval="10s")


class BusyGitSources(Attack):
    name = "git-8"
    greeting = "git"
    does = "8 GitSources at the least interval"

    def prepare(self, ground: Ground) -> None:
        with ground.repository() as repository:
            repository.commit({"README": "nothing"})
            self._url = repository.url

    def begin(self, ground: Ground, over: threading.Event) -> None:
        for number in range(8):
            ground.git_source(f"evil-{number}", self._url, interval="10s")


class SilentServer(Attack):
    """Takes connections and never answers."""

    def prepare(self, ground: Ground) -> None:
        self._held: list[socket.socket] = []
        self._server = socket.create_server((ground.host, 0), backlog=256)
        self.url = f"http://{ground.host}:{self._server.getsockname()[1]}/x.git"
        threading.Thread(target=self._take, daemon=True).start()

    def end(self, ground: Ground) -> None:
        self._server.close()
        for held in self._held:
            held.close()

    def _take(self) -> None:
        try:
            while True:
                self._held.append(self._server.accept()[0])
        except OSError:
            return  # it was closed


class SlowHttp(SilentServer):
    name = "h9a"
    does = "40 × http() on a server that never answers"
    greeting = "http"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        task = {
            "id": "ask",
            "type": f"{CORE}.debug.Return",
            "format": f"{{{{ http('{self.url}') }}}}",
            "retry": {"type": "constant", "interval": "PT1S", "maxAttempts": 20},
        }
        ground.flow("evil", tasks=[task])
        ground.executions("evil", 40)


class SlowGit(SilentServer):
    name = "h9b"
    greeting = "git"
    does = "4 GitSources on a server that never answers"

    def begin(self, ground: Ground, over: threading.Event) -> None:
        for number in range(4):
            ground.git_source(f"evil-{number}", self.url, timeout="10m", interval="10s")


ATTACKS = (LargeFiles, LargeRepository, LargeBlob, BusyGitSources, SlowHttp, SlowGit)
