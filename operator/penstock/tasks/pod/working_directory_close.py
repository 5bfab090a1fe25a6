"""The program of a WorkingDirectory's own attempt, which ends it.

The tasks have ended. It keeps files that they left: the output files, and those of the cache.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from penstock.storage.errors import StorageError
from penstock.tasks.contract.framing import Result
from penstock.tasks.contract.plan import Plan, read_plan
from penstock.tasks.contract.pod_folders import BASE, PodFolders
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.files import shared_directory
from penstock.tasks.files.input_files import patterns
from penstock.tasks.files.output_files import Kept, keep_beneath
from penstock.tasks.pod.main import publish
from penstock.tasks.pod.secret_texts import secrets_beside
from penstock.tasks.remote.storage import Remote


def close(plan: Plan, folders: PodFolders, remote: shared_directory.Storing) -> Result:
    """Keep the output files and the cache of a directory. Raises :class:`TaskFailure` and
    :class:`StorageError`."""
    assert plan.shared is not None
    folders.make()
    if not folders.shares_work:
        shared_directory.enter(plan, folders.work, remote)
    shared_directory.save_cache(plan.shared, folders.work, folders.run, remote)
    wanted = plan.shared.properties.get("outputFiles")
    if not wanted:
        return Result()
    kept = Kept()
    keep_beneath(folders.work, patterns("outputFiles", wanted), remote.upload, kept)
    kept.check_names(strict=not plan.shared.failed)
    for note in kept.notes:
        print(f"WARN {note}", flush=True)
    return Result({"outputFiles": kept.files})


def main() -> int:
    plan = read_plan()
    assert plan is not None
    secrets = secrets_beside(os.environ)
    try:
        if secrets is not None:
            plan = plan.filled(secrets.filled)
        remote = Remote.from_environment(plan.origin)
        if remote is None:
            raise TaskFailure("a WorkingDirectory needs the internal storage, and there is none")
        base = Path(os.environ.get("TMPDIR", BASE))
        result = close(plan, PodFolders(base, plan.within), remote)
    except (TaskFailure, StorageError, OSError) as error:
        message = str(error) if secrets is None else secrets.masker.message(str(error))
        publish(Result(message=message))
        return 1
    publish(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
