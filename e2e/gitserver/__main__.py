"""``python3 -m e2e.gitserver``: serve a directory of repositories until SIGTERM."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path
from types import FrameType

from e2e.gitserver.repository import create_repository
from e2e.gitserver.server import GitServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="gitserver", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="directory of bare repositories")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0 chooses a free one")
    parser.add_argument(
        "--repository",
        action="append",
        default=[],
        metavar="NAME",
        help="create this repository if it does not exist; may be repeated",
    )
    parser.add_argument(
        "--auth",
        default=os.environ.get("GITSERVER_AUTH"),
        metavar="USER:PASSWORD",
        help="ask for basic authentication (default: $GITSERVER_AUTH)",
    )
    arguments = parser.parse_args()
    arguments.root.mkdir(parents=True, exist_ok=True)
    for name in arguments.repository:
        create_repository(arguments.root, name)

    stopped = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with GitServer(arguments.root, arguments.host, arguments.port, auth=arguments.auth) as server:
        print(f"gitserver: ready at {server.url}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
