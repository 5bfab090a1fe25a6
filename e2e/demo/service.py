"""The demo's Git server: a process of its own, so that you can push after the demo has ended.

It is found again by its pid file, and ends by itself once the cluster's kubeconfig is gone.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from e2e.gitserver import GitServer, create_repository

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / "build" / "demo"
_PID, _URL, _LOG = STATE / "git.pid", STATE / "git.url", STATE / "git.log"
_REPOSITORIES = STATE / "git"
_LOOK_EVERY = 2.0


def ensure(repository: str, host: str, kubeconfig: Path) -> str:
    """Start the server and create the repository, unless they exist; gives the clone URL."""
    STATE.mkdir(parents=True, exist_ok=True)
    create_repository(_REPOSITORIES, repository)
    url = _running(host)
    if url is None:
        stop()
        url = _start(host, kubeconfig)
    return f"{url}/{repository}.git"


def stop() -> bool:
    """End the server; tells whether it ran."""
    pid = _pid()
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 5
    while _pid() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    _PID.unlink(missing_ok=True)
    return True


def _start(host: str, kubeconfig: Path) -> str:
    last = urlsplit(_URL.read_text().strip()).port if _URL.exists() else None
    _URL.unlink(missing_ok=True)
    with _LOG.open("ab") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", __name__),
                *("--host", host, "--port", str(last or 0), "--while", str(kubeconfig)),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _PID.write_text(f"{process.pid}\n")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        url = _running(host)
        if url is not None:
            return url
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"the Git server did not start; see {_LOG}")


def _pid() -> int | None:
    """The process of the pid file, if it is still a server of ours."""
    try:
        pid = int(_PID.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if __name__.encode() in command else None


def _running(host: str) -> str | None:
    if _pid() is None or not _URL.exists():
        return None
    url = _URL.read_text().strip()
    if urlsplit(url).hostname != host:
        return None
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:
            return url if answer.status == 200 else None
    except (urllib.error.URLError, OSError):
        return None


def main() -> None:
    """Serve until SIGTERM, or until the file that stands for the cluster is gone."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--while", dest="while_there", type=Path, required=True, metavar="FILE")
    options = parser.parse_args()
    stopped = threading.Event()

    def end(signum: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with _server(options.host, options.port) as server:
        _URL.write_text(f"{server.url}\n")
        print(f"serving {server.url}", flush=True)
        missing = 0
        while missing < 2 and not stopped.wait(_LOOK_EVERY):
            missing = 0 if options.while_there.exists() else missing + 1
    print("stopped", flush=True)


def _server(host: str, port: int) -> GitServer:
    """Start a server on the port of the last time, so that clones stay valid, or on another where
    it is taken."""
    try:
        return GitServer(_REPOSITORIES, host, port)
    except OSError:
        return GitServer(_REPOSITORIES, host, 0)


if __name__ == "__main__":
    main()
