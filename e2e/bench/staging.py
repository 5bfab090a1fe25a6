"""Measures 1 GiB from a real S3 server to a local file and back, by the client of the pods and by
curl.

    python -m e2e.bench.staging

Both use the same kind of URL in the same run, in turn. The client makes and checks the SHA-256 on
the way, which curl does not.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from e2e.fixtures.objectstore import versitygw
from penstock.storage.digests import digest_of
from penstock.storage.grants import Grant
from penstock.storage.key import create_key
from penstock.storage.settings import opened
from penstock.storage.uris import ExecutionPlace
from penstock.storage.usage import Usage
from penstock.storage_service.exchange import Exchange, Operations
from penstock.storage_service.urls import urls_for
from penstock.tasks.contract.services import Origin
from penstock.tasks.remote.storage import Remote, Service

SIZE = 1024**3
ROUNDS = 3
GOALS = {"staging_ratio": 1.43}
"""The most time relative to curl: 70 % of its speed."""
_BLOCK = 1024 * 1024


class _Exchanged(Service):
    """The service's own exchange, without HTTP around it: two calls among 2 GiB."""

    def __init__(self, exchange: Exchange, grant: Grant) -> None:
        super().__init__("http://127.0.0.1", "")
        self._exchange = exchange
        self._who = grant

    def ask(self, path: str, document: Any, **how: Any) -> Any:
        asked = Operations(**document)
        return json.loads(self._exchange.answer(self._who, asked, lambda: True))


@dataclass
class _Run:
    """A run: one file, staged in and out again."""

    remote: Remote
    folder: Path
    uri: str
    digest: str

    def client(self) -> None:
        self.remote.download(self.uri, self.folder / "staged")
        self.remote.upload("out", self.folder / "staged")

    def curl(self) -> None:
        service, staged = self.remote.service, str(self.folder / "staged")
        _curl("--output", staged, service.operate("get", {"uri": self.uri})["url"])
        put = service.operate("put", {"name": "out"}, size=SIZE, sha256=self.digest)
        headers = [
            part for name, value in put["headers"].items() for part in ("-H", f"{name}: {value}")
        ]
        _curl("--upload-file", staged, *headers, put["url"])


def measure() -> dict[str, object]:
    """The ratio of the client's time to curl's, and the seconds of each."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as made:
        return _measured(Path(made))


def _measured(folder: Path) -> dict[str, object]:
    with versitygw(folder / "s3") as store:
        os.environ.update(store.environment)
        storage = opened(store.settings)
        exchange = Exchange(
            storage, urls_for(storage, create_key(storage)), SIZE, Usage(storage, None)
        )
        grant = _grant()
        remote = Remote(_Exchanged(exchange, grant), _origin(grant))
        source = folder / "source"
        _write(source)
        with source.open("rb") as file:
            digest, _ = digest_of(file)
        run = _Run(remote, folder, remote.upload("in", source), digest)
        times: dict[str, list[float]] = {"curl": [], "client": []}
        for _ in range(ROUNDS):
            for name, action in (("curl", run.curl), ("client", run.client)):
                times[name].append(_timed(action))
    medians = {name: statistics.median(found) for name, found in times.items()}
    return {
        "staging_ratio": round(medians["client"] / medians["curl"], 3),
        "staging_seconds": {
            name: [round(item, 2) for item in found] for name, found in times.items()
        },
    }


def _timed(action: Callable[[], None]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def _curl(*arguments: str) -> None:
    subprocess.run(["curl", "--silent", "--show-error", "--fail", *arguments], check=True)


def _write(path: Path) -> None:
    with path.open("wb") as file:
        for _ in range(SIZE // _BLOCK):
            file.write(os.urandom(_BLOCK))


def _grant() -> Grant:
    return Grant(
        tenant="bench",
        place=ExecutionPlace("bench", "staging", "run"),
        owner="uid",
        task="task",
        task_run="task-run",
        job="job",
        expires=datetime.now(UTC) + timedelta(hours=1),
    )


def _origin(grant: Grant) -> Origin:
    place = grant.place
    return Origin(place.namespace, place.flow, place.execution, grant.task, grant.task_run)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
