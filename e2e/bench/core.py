"""CPU time of the process of a core task, from its start to its end, with this machine's Python.

python -m e2e.bench.core
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from penstock.tasks.contract.services import Origin
from penstock.tasks.registry.definitions import TASK_VARIABLE
from penstock.tasks.registry.properties import read, write

GOALS = {"core_cpu_ms": 250.0}
ROUNDS = 5

_CORE = "io.kestra.plugin.core"


def measure() -> dict[str, object]:
    """The CPU time of the dearest of some core tasks, each at its best of some rounds."""
    with _server() as url:
        tasks: dict[str, Mapping[str, Any]] = {
            f"{_CORE}.log.Log": {"message": "hello"},
            f"{_CORE}.debug.Return": {"format": "hello"},
            f"{_CORE}.output.OutputValues": {"values": {"a": 1}},
            f"{_CORE}.http.Request": {"uri": url},
        }
        by_type = {name: _cpu_ms(name, properties) for name, properties in tasks.items()}
    return {"core_cpu_ms": max(by_type.values()), "core_cpu_ms_by_type": by_type}


def _cpu_ms(task_type: str, properties: Mapping[str, Any]) -> float:
    from penstock.tasks.contract.core_types import core_type

    found = core_type(task_type)
    assert found is not None
    task = {"type": task_type, "properties": write(read(found.load(), properties))}
    if found.needs:
        task["origin"] = asdict(Origin("company.team", "flow", "run-1", "task", "run"))
    return round(min(_once(json.dumps(task)) for _ in range(ROUNDS)), 1)


def _once(task: str) -> float:
    with tempfile.NamedTemporaryFile() as message:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "penstock.tasks.pod.main"],
            env={TASK_VARIABLE: task, "PENSTOCK_TERMINATION_FILE": message.name},
            stdout=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"a core task failed: {message.read().decode()}")
        return (used.ru_utime + used.ru_stime) * 1000


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        """Drop a message of the log."""


@contextmanager
def _server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
