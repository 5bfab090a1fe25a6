"""The programs that run beside the tasks in the pod of a WorkingDirectory.

begin   before them: makes the folders, and puts the first files of the directory in place
hold    as long as they run: a pod lives as long as its container
end     after them: lets `hold` end
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from penstock.tasks.contract.pod_folders import BASE

END = Path("/penstock-end")
"""A folder that only Penstock's own containers have: no task can end the pod."""
_LOOK_SECONDS = 0.1


def begin(base: Path = Path(BASE)) -> int:
    """Make the folders, for every user of the pod's group, and put everything in place."""
    os.umask(0o002)
    for name in ("work", "attempts", "home", "tmp"):
        (base / name).mkdir(exist_ok=True)
        (base / name).chmod(0o2775)
    from penstock.tasks.contract.plan import read_plan

    plan = read_plan()
    if plan is None or plan.shared is None:
        return 0
    from penstock.storage.errors import StorageError
    from penstock.tasks.contract.framing import Result
    from penstock.tasks.contract.task import TaskFailure
    from penstock.tasks.files import shared_directory
    from penstock.tasks.pod.main import publish
    from penstock.tasks.pod.secret_texts import secrets_beside
    from penstock.tasks.remote.storage import Remote

    secrets = secrets_beside(os.environ)
    try:
        if secrets is not None:
            plan = plan.filled(secrets.filled)
        assert plan.shared is not None
        remote = Remote.from_environment(plan.origin)
        if remote is None:
            raise TaskFailure("a WorkingDirectory needs the internal storage, and there is none")
        for warning in shared_directory.begin(plan.shared, base / "work", remote):
            print(f"WARN {warning}", flush=True)
    except (TaskFailure, StorageError, OSError) as error:
        message = str(error) if secrets is None else secrets.masker.message(str(error))
        print(f"ERROR {message}", flush=True)
        publish(Result(message=message))
        return 1
    return 0


def hold(folder: Path = END) -> int:
    """Wait until `end` says that the directory is not needed any more."""
    signal.signal(signal.SIGTERM, _stop)
    while not (folder / "end").exists():
        time.sleep(_LOOK_SECONDS)
    return 0


def end(folder: Path = END) -> int:
    """Tell `hold` that the directory is not needed any more."""
    (folder / "end").touch()
    return 0


def _stop(number: int, frame: object) -> NoReturn:
    os._exit(128 + number)


if __name__ == "__main__":
    sys.exit({"begin": begin, "hold": hold, "end": end}[sys.argv[1]]())
