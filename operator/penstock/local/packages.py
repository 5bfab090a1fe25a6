"""The Python packages that a script installs here: into a virtual environment of its attempt.

In a pod, pip changes a copy of the image that goes with the pod. Here it would change the packages
of whoever runs the flow, or be refused, as by Debian's Python. So an attempt that installs packages
gets a virtual environment in its folder. It is made of the Python that the script would find, whose
packages stay in sight beneath those that the script installs.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from penstock.tasks.contract.task import Container, TaskFailure

_INSTALLERS = re.compile(
    r"(?<!\w)(?:pip|uv|pipenv|poetry|pdm|easy_install|ensurepip)[\d.]*(?!\w)", re.ASCII
)
"""Words of a text that may install packages. One that only looks so costs a tenth of a second."""
_SCRIPTS = frozenset({".sh", ".bash", ".py"})
_LARGEST_SCRIPT_BYTES = 64 * 1024
_MOST_FILES = 1000
_MAKING_SECONDS = 120

_MAKE = """
import glob, os, site, sys, venv
target = sys.argv[1]
venv.EnvBuilder(system_site_packages=True, symlinks=True).create(target)
if sys.prefix != sys.base_prefix:
    around = [path for path in site.getsitepackages([sys.prefix]) if os.path.isdir(path)]
    for own in glob.glob(os.path.join(glob.escape(target), "lib", "*", "site-packages")):
        with open(os.path.join(own, "around.pth"), "w", encoding="utf-8") as file:
            file.writelines(f"import site; site.addsitedir({path!r})\\n" for path in around)
"""
"""Makes the environment. One that is made within another sees the base Python's packages by itself,
and those of the other one by a `.pth` file."""
_HAS_PIP = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)"
_NO_PIP = """\
import sys

sys.exit(
    "pip is missing: {python} has neither `pip` nor `ensurepip`. Install it for this Python, on "
    "Debian and Ubuntu with: apt-get install python3-pip python3-venv"
)
"""

_SETTINGS = re.compile(
    r"(?:PIP|UV)_(?:(?:DEFAULT_|EXTRA_)?INDEX(?:_URL)?|FIND_LINKS|NO_INDEX|OFFLINE|TRUSTED_HOST"
    r"|INSECURE_HOST|CERT|CLIENT_CERT|SYSTEM_CERTS|NATIVE_TLS|PROXY|(?:DEFAULT_|HTTP_)?TIMEOUT"
    r"|RETRIES|CACHE_DIR|CONFIG_FILE)"
    r"|(?:https?|all|no)_proxy|SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE",
    re.IGNORECASE,
)
"""Variables of this machine that say from where packages come, never where they go."""

_UV = """\
#!/bin/sh
# `--system` would install into this machine's Python: the task's environment takes its place.
unset UV_SYSTEM_PYTHON
found=
IFS=:
for folder in $PATH; do
  [ "$folder" != {own} ] && [ -x "$folder/uv" ] && found="$folder/uv" && break
done
unset IFS
[ -n "$found" ] || {{ echo "uv: not found" >&2; exit 127; }}
if [ "${{1:-}}" = pip ]; then
  for word in "$@"; do
    shift
    [ "$word" = --system ] || set -- "$@" "$word"
  done
fi
exec "$found" "$@"
"""


def installs_packages(what: Container, work: Path) -> bool:
    """Whether the text of a script, or a file that it finds, may install Python packages."""
    return any(_INSTALLERS.search(text) for text in _texts(what, work))


def _texts(what: Container, work: Path) -> Iterator[str]:
    yield from what.command
    yield from what.files.values()
    for path in islice(_files(work), _MOST_FILES):
        # Reading a pipe that an earlier task left, or a link to one, would never end.
        if (path.suffix in _SCRIPTS or path.name == "Makefile") and path.is_file():
            yield _beginning(path)


def _files(work: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(work):
        below[:] = [name for name in below if not name.startswith(".") and name != "node_modules"]
        yield from (Path(folder, name) for name in names)


def _beginning(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_SCRIPT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


@dataclass(frozen=True)
class PackageEnvironment:
    """A virtual environment in the folder of one attempt."""

    at: Path
    """The folder of the environment."""
    shims: Path
    """The folder of programs that comes first on the script's PATH."""

    @classmethod
    def make(cls, base: Path, path: str) -> PackageEnvironment | None:
        """Make the environment with the first Python on ``path``; None where there is no Python.

        Raises :class:`TaskFailure` where that Python can't have one.
        """
        python = shutil.which("python", path=path) or shutil.which("python3", path=path)
        if python is None:
            return None
        made = cls(base / "venv", base / "shims")
        done = _run([python, "-I", "-c", _MAKE, str(made.at)], path)
        if done.returncode != 0:
            told = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise TaskFailure(
                f"the task installs Python packages, and {python} can't make a virtual environment "
                f"for them: {told}. On Debian and Ubuntu: apt-get install python3-venv"
            )
        made._provide_pip(python, path)
        made.shims.mkdir()
        _write_program(made.shims / "uv", _UV.format(own=shlex.quote(str(made.shims))))
        return made

    def variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """The variables of a process that installs packages here, in whatever way."""
        return {
            **_settings(),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONUSERBASE": str(self.at),  # where `pip install --user` goes
            **given,
            "PATH": f"{self.shims}:{self.at}/bin:{given['PATH']}",
            "VIRTUAL_ENV": str(self.at),
            "PIP_REQUIRE_VIRTUALENV": "1",  # a pip of this machine, called by its path, is refused
            "UV_SYSTEM_PYTHON": "0",
        }

    def _provide_pip(self, python: str, path: str) -> None:
        """Provide a pip: that Python's own, the one it brings along, or Penstock's."""
        own = self.at / "bin" / "python"
        if _run([str(own), "-I", "-c", _HAS_PIP], path).returncode != 0:
            done = _run([str(own), "-I", "-m", "ensurepip"], path)
            if done.returncode != 0:
                for site in self.at.glob("lib/*/site-packages"):
                    _place_pip(site, python)
        for name in ("pip", "pip3"):
            program = self.at / "bin" / name
            if not program.exists():
                _write_program(program, f'#!/bin/sh\nexec {shlex.quote(str(own))} -m pip "$@"\n')


def _place_pip(site: Path, python: str) -> None:
    """Put Penstock's own pip into the environment, or a program that tells how to get one."""
    ours = importlib.util.find_spec("pip")
    places = ours.submodule_search_locations if ours is not None else None
    if places:
        shutil.copytree(places[0], site / "pip", dirs_exist_ok=True)
        return
    (site / "pip").mkdir(exist_ok=True)
    (site / "pip" / "__init__.py").touch()
    (site / "pip" / "__main__.py").write_text(_NO_PIP.format(python=python), "utf-8")


def _settings() -> dict[str, str]:
    """The settings by which this machine's pip and uv find and keep packages."""
    caches = os.environ.get("XDG_CACHE_HOME") or f"{Path.home()}/.cache"
    found = {"UV_CACHE_DIR": f"{caches}/uv"}
    for name in (".config/pip/pip.conf", ".pip/pip.conf"):
        if (Path.home() / name).is_file():
            found["PIP_CONFIG_FILE"] = str(Path.home() / name)
            break
    return found | {name: value for name, value in os.environ.items() if _SETTINGS.fullmatch(name)}


def _run(command: Iterable[str], path: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [*command],
            env={"PATH": path, "HOME": str(Path.home())},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_MAKING_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess([*command], 1, "", str(error))


def _write_program(at: Path, text: str) -> None:
    at.write_text(text, "utf-8")
    at.chmod(0o755)
