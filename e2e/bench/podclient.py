"""The pods' client as a process of its own: `put FILE [LARGE]` and `get URI FILE`. `LARGE` are the
bytes above which the file goes in parts.

It prints JSON: the `uri`, the `seconds`, and `peak_mib`, the most memory that the process had.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.tasks.contract.services import Origin
from penstock.tasks.remote import uploading
from penstock.tasks.remote.storage import GRANT_VARIABLE, URL_VARIABLE, Remote

_ROOT = Path(__file__).parents[2]
_ORIGIN = Origin("company.team", "flow", "run", "task", "task-run")
"""The service goes by the grant."""


def moved(url: str, grant: str, *words: str) -> dict[str, Any]:
    """The output of the client with these arguments."""
    path = f"{_ROOT / 'operator'}:{_ROOT}"
    done = subprocess.run(
        [sys.executable, "-m", "e2e.bench.podclient", *words],
        env={"PYTHONPATH": path, URL_VARIABLE: url, GRANT_VARIABLE: grant},
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def peak_mib(process: int | str) -> int:
    """The most memory that a process had in its life so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    told: Mapping[str, str] = dict(line.split(":", 1) for line in lines)
    return int(told["VmHWM"].split()[0]) // 1024


def main() -> None:
    remote = Remote.from_environment(_ORIGIN)
    if remote is None:
        sys.exit("there is no grant")
    started = time.monotonic()
    if sys.argv[1] == "put":
        uploading.LARGE = int(sys.argv[3]) if len(sys.argv) > 3 else uploading.LARGE
        uri = remote.upload("large", Path(sys.argv[2]))
    else:
        uri = sys.argv[2]
        remote.download(uri, Path(sys.argv[3]))
    seconds = round(time.monotonic() - started, 2)
    print(json.dumps({"uri": uri, "seconds": seconds, "peak_mib": peak_mib("self")}))


if __name__ == "__main__":
    main()
