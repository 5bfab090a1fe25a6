"""The files around a script that runs on this machine: those it finds, and those that are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from penstock.tasks.contract.localizing import Localizing
from penstock.tasks.contract.services import Services
from penstock.tasks.contract.task import Container, TaskFailure
from penstock.tasks.files.input_files import place, place_namespace_files
from penstock.tasks.files.output_files import Kept, keep_made, upload_to

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class ScriptFolders:
    """The folders in which one attempt of a script runs."""

    base: Path
    """A folder of the attempt's own."""
    work: Path
    """The working directory, which other tasks may share."""

    @classmethod
    def make(cls, base: Path, shared: Path | None) -> ScriptFolders:
        for name in ("work", "home", "tmp", "output", "fetched"):
            (base / name).mkdir()
        return cls(base, shared if shared is not None else base / "work")

    def environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """The variables of the process: few of this machine's, and the task's own.

        Packages that npm and gem would install for all users of a machine go to this attempt alone.
        """
        home = f"{self.base}/home"
        path = os.environ.get("PATH", _PATH)
        return {
            "PATH": f"{path}:{home}/.npm-global/bin:{home}/.gem/bin",
            "HOME": home,
            "NPM_CONFIG_PREFIX": f"{home}/.npm-global",
            "GEM_HOME": f"{home}/.gem",
            "TMPDIR": f"{self.base}/tmp",
            "WORKING_DIR": str(self.work),
            "OUTPUT_DIR": f"{self.base}/output",
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            **own,
        }


def prepare(
    what: Container, at: ScriptFolders, services: Services | None, warn: Callable[[str], None]
) -> Container:
    """Put all files in place, and give the container as it runs here, with paths in place of
    URIs."""
    if what.namespace_files is not None and what.namespace_files.enabled:
        for warning in place_namespace_files(at.work, what.namespace_files, _needed(services)):
            warn(warning)
    files = services.files if services is not None else None
    for name, uri in what.fetched.items():
        place(at.work, name, uri, files)
    localized = Localizing(
        str(at.work), f"{at.base}/output", f"{at.base}/fetched", with_uris=services is not None
    )
    for name, text in what.files.items():
        place(at.work, name, localized.text(text), None)
    made = replace(
        what,
        command=tuple(map(localized.text, what.command)),
        env={name: localized.text(value) for name, value in what.env.items()},
    )
    for uri, path in localized.paths.items():
        place(at.base, str(Path(path).relative_to(at.base)), uri, files)
    return replace(made, output_directory=what.output_directory or localized.with_output)


def keep_outputs(
    what: Container, at: ScriptFolders, services: Services | None, *, strict: bool
) -> Kept:
    """Keep the files that the script was to make. With ``strict``, since it succeeded, none may be
    missing."""
    kept = Kept()
    if what.output_directory or what.output_files:
        keep_made(
            at.work,
            at.base / "output",
            what.output_files,
            upload_to(_needed(services).files),
            kept,
            all_output=what.output_directory,
            strict=strict,
        )
    return kept


def _needed(services: Services | None) -> Services:
    if services is None:
        raise TaskFailure("the task's files need the internal storage, and there is none")
    return services
