"""The sidecar of a script that uses files: `python -m penstock.tasks.pod.staging`.

It puts the plan's files in place, waits until the script has ended, and keeps the files that the
script made. It holds the grant, which the script's own container does not; see :mod:`pod_folders`
for how the two talk. Restarted after it was killed it goes on where it was. SIGTERM ends it at
once: the kubelet sends it when the script's container has ended.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.storage.errors import StorageError
from penstock.tasks.contract.framing import failed_message
from penstock.tasks.contract.plan import SECRETS_VARIABLE, Plan, read_plan
from penstock.tasks.contract.pod_folders import BASE, KEPT_MARK, PodFolders
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.files.input_files import file_errors, place_namespace_files, target
from penstock.tasks.files.output_files import Kept, keep_made
from penstock.tasks.remote.storage import Remote

if TYPE_CHECKING:
    from penstock.tasks.pod.package_cache import PackageCache
    from penstock.tasks.pod.secret_texts import SecretTexts

MAX_STARTS = 4
"""How often the sidecar may start: before each start but the first it was killed, such as for its
memory."""
_LOOK_SECONDS = 0.05


class Staging:
    """Moves the files of one attempt."""

    def __init__(
        self,
        plan: Plan,
        folders: PodFolders,
        remote: Callable[[], Remote | None],
        secrets: SecretTexts | None = None,
    ) -> None:
        """Move the files of a plan; ``secrets`` are those that stand as tokens in it."""
        self._plan = plan
        self._secrets = secrets
        self._folders = folders
        self._make_remote = remote
        self._packages: PackageCache | None = None

    def run(self) -> None:
        """Move the files in and out, once. The outcome is told in the folders."""
        folders = self._folders
        folders.make()
        if folders.said("kept") or folders.said("failed"):
            return
        try:
            self._count()
            remote = self._remote()
            if self._plan.packages:
                from penstock.tasks.pod.package_cache import PackageCache

                self._packages = PackageCache(self._plan.packages, folders, remote)
            if not folders.said("staged"):
                folders.say("staged", "".join(f"WARN {line}\n" for line in self._stage(remote)))
            kept = self._keep(remote, self._exit_code())
            line = json.dumps({"files": kept.files, "notes": kept.notes}, separators=(",", ":"))
            folders.say("kept", f"{KEPT_MARK}{line}\n")
        except (TaskFailure, StorageError, OSError) as error:
            folders.say("failed", failed_message(self._told(str(error))))
        except Exception as error:
            import traceback

            print(self._told(traceback.format_exc()), file=sys.stderr)
            folders.say("failed", failed_message(self._told(f"{type(error).__name__}: {error}")))

    def _told(self, message: str) -> str:
        return message if self._secrets is None else self._secrets.masker.message(message)

    def _count(self) -> None:
        with (self._folders.run / "starts").open("ab") as file:
            file.write(b".")
            if file.tell() > MAX_STARTS:
                raise TaskFailure(
                    f"the container that moves the task's files was killed {MAX_STARTS} times"
                )

    def _remote(self) -> Remote:
        remote = self._make_remote()
        if remote is None:
            raise TaskFailure("the task's files need the internal storage, and there is none")
        return remote

    def _stage(self, remote: Remote) -> list[str]:
        """Put the files in place. Gives warnings."""
        plan, folders = self._plan, self._folders
        own = [folders.base / "fetched"] + ([] if folders.shares_work else [folders.work])
        for folder in own:
            shutil.rmtree(folder, ignore_errors=True)  # files that an earlier start left unfinished
            folder.mkdir()
        warnings: list[str] = []
        if plan.shared is not None:
            from penstock.tasks.files import shared_directory

            if self._secrets is not None:
                plan = plan.filled(self._secrets.filled)
            warnings += shared_directory.enter(plan, folders.work, remote)
        if plan.namespace_files is not None:
            warnings += place_namespace_files(folders.work, plan.namespace_files, remote)
        for name, uri in plan.fetched.items():
            fetch(remote, folders.work, name, uri)
        for path, uri in plan.beside.items():
            fetch(remote, folders.base, path, uri)
        if self._packages is not None:
            warnings += self._packages.restore()
        return warnings

    def _exit_code(self) -> int:
        """Wait until the script has ended, and give its exit code."""
        done = self._folders.run / "done"
        while True:
            try:
                text = done.read_text(encoding="ascii", errors="replace")
            except FileNotFoundError:
                text = ""
            if text.endswith("\n"):
                return int(text) if text.strip().isdigit() else 1
            if self._packages is not None:
                self._packages.look()
            time.sleep(_LOOK_SECONDS)

    def _keep(self, remote: Remote, code: int) -> Kept:
        """Keep the files that the script made. For a script that failed, its own exit code is told,
        and a file that can't be kept is a note."""
        plan, folders, kept = self._plan, self._folders, Kept()
        try:
            if plan.output_directory or plan.output_files:
                keep_made(
                    folders.work,
                    folders.output,
                    plan.output_files,
                    remote.upload,
                    kept,
                    all_output=plan.output_directory,
                    strict=code == 0,
                )
            if plan.shared is not None:
                from penstock.tasks.files import shared_directory

                kept.notes += shared_directory.leave(plan.shared, folders.work, folders.run, remote)
        except (TaskFailure, StorageError, OSError) as error:
            if code == 0:
                raise
            kept.notes.append(str(error))
        if self._packages is not None:
            kept.notes += self._packages.finish()
        return kept


def fetch(remote: Remote, directory: Path, name: str, uri: str) -> None:
    """Write the file of a URI into a directory."""
    with file_errors(name):
        remote.download(uri, target(directory, name))


def _secrets() -> SecretTexts | None:
    if SECRETS_VARIABLE not in os.environ:
        return None
    from penstock.tasks.pod.secret_texts import secrets_beside

    return secrets_beside(os.environ)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    os.umask(0o002)  # a script of another user may write to the files in its directory
    plan = read_plan()
    if plan is None:
        sys.exit("there is no plan")
    remote = partial(Remote.from_environment, plan.origin)
    Staging(plan, PodFolders(Path(BASE), plan.within), remote, _secrets()).run()
    while not plan.within:  # a sidecar that ends is restarted
        signal.pause()


if __name__ == "__main__":
    main()
