"""Runs other programs, and turns their failure into an error a person can act on."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cluster.console import ClusterError

_SHOWN_LINES = 30
# Cron, sudo and minimal images leave the administrators' folders out of PATH.
_ADMIN_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of this process, with the administrators' folders on PATH, and ``extra``."""
    variables = dict(os.environ)
    folders = variables.get("PATH", os.defpath).split(os.pathsep)
    missing = [folder for folder in _ADMIN_FOLDERS if folder not in folders]
    variables["PATH"] = os.pathsep.join([*folders, *missing])
    variables.update(extra or {})
    return variables


def find_program(name: str) -> str | None:
    """The path of a program, or None when it is not installed."""
    return shutil.which(name, path=environment()["PATH"])


def run(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    hint: str = "",
) -> str:
    """Run a program to its end and return its standard output; raise when it fails."""
    done = _execute(arguments, env=env, cwd=cwd, stdin=stdin)
    if done.returncode != 0:
        raise ClusterError(_explain(arguments, done, hint))
    return done.stdout


def attempt(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str | None:
    """Like run, for clean-up: returns None, rather than raise, when the program fails."""
    try:
        done = _execute(arguments, env=env, cwd=None, stdin=stdin)
    except ClusterError:
        return None
    return done.stdout if done.returncode == 0 else None


def _execute(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    stdin: str | None,
) -> subprocess.CompletedProcess[str]:
    program = find_program(str(arguments[0]))
    if program is None:
        raise ClusterError(f"{arguments[0]} is not installed, or is not on PATH")
    return subprocess.run(
        [program, *map(str, arguments[1:])],
        env=environment(env),
        cwd=cwd,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _explain(
    arguments: Sequence[str | Path], done: subprocess.CompletedProcess[str], hint: str
) -> str:
    output = (done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:]
    shown = "\n".join(f"    {line}" for line in output) or "    (it printed nothing)"
    command = shlex.join(map(str, arguments))
    advice = f"\n{hint}" if hint else ""
    return f"exit status {done.returncode} from: {command}\n{shown}{advice}"
