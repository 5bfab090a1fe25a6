"""The packages of a Python task: what installs them, and whether what was installed may be kept.

What pip installed is kept for the next attempt of the same task, where its pod has a container that
moves files: see :mod:`penstock.tasks.pod.package_cache`. The two talk by the script's own text,
so that nothing else has to know of it.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

PACKAGES_VARIABLE = "PENSTOCK_PACKAGES"
"""Names the folder of the packages that are kept; not set where none are."""
TAG_FILE = ".python"
"""The file of that folder that says for which Python all of it was installed; it comes last."""
INSTALLED = "installed"
"""What the script tells when pip has done its work. It waits for the answer: nothing of the script
runs before its packages are aside."""
PACKED = "packed"

_FORMAT = 1
_PYTHON = '"$(command -v python || command -v python3)"'
_PIP = "-m pip install --quiet --no-warn-script-location --user"
_INTO_HOME = "PIP_BREAK_SYSTEM_PACKAGES=1"
"""The Python of a distribution such as Debian refuses pip, even where it would install into the
user's home only, which breaks nothing of the system."""
_ARCHIVES = (".whl", ".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".tbz", ".txz", ".tlz", ".lzma")
_REPOSITORIES = ("git+", "hg+", "svn+", "bzr+")
_USER_BASE = "PYTHONUSERBASE"
_NOT_KEPT = frozenset({_USER_BASE, "PIP_CONSTRAINT", "PIP_REQUIREMENT", "PIP_CONFIG_FILE"})
"""Variables with which packages are elsewhere, or depend on what stands in a file."""


_KEPT = rf"""
__penstock_install() {{
  @INSTALL@
}}
__penstock_tag=
if [ -n "${{{PACKAGES_VARIABLE}:-}}" ]; then
  export {_USER_BASE}="${PACKAGES_VARIABLE}"
  [ ! -L "$HOME/.local" ] || rm -f "$HOME/.local"
  [ -e "$HOME/.local" ] || ln -s "${PACKAGES_VARIABLE}" "$HOME/.local" || exit 1
  __penstock_tag="$({_PYTHON} -c \
    'import sysconfig; print(sysconfig.get_config_var("SOABI"))')" || exit 1
fi
if [ -z "$__penstock_tag" ]; then
  __penstock_install
elif [ "$__penstock_tag" != "$(cat "${_USER_BASE}/{TAG_FILE}" 2>/dev/null)" ]; then
  rm -rf "${_USER_BASE}"
  mkdir -p "${_USER_BASE}" || exit 1
  __penstock_install
  printf '%s\n' "$__penstock_tag" >"${_USER_BASE}/{TAG_FILE}"
  : >"${_USER_BASE}/../run/{INSTALLED}"
  until [ -e "${_USER_BASE}/../run/{PACKED}" ] || [ -e "${_USER_BASE}/../run/failed" ]; do
    sleep 0.05 2>/dev/null || sleep 1
  done
fi
"""


@dataclass(frozen=True)
class Packages:
    """What is installed for a task, and with what."""

    names: tuple[str, ...]
    settings: tuple[str, ...]

    def key(self, told: Callable[[str], str]) -> str | None:
        """Tells packages apart that differ; None where they can't be kept.

        ``told`` gives a text without the tokens of secrets, which differ from execution to
        execution. pip may write the URL of a package beside it, so that one with a secret in it is
        never kept.
        """
        if any(told(name) != name for name in self.names):
            return None
        made = [_FORMAT, sorted(self.names), [told(text) for text in self.settings]]
        return hashlib.sha256(json.dumps(made).encode("utf-8", "surrogatepass")).hexdigest()


def packages(
    names: Sequence[str],
    image: str,
    version: str | None,
    interpreter: Sequence[str],
    env: Mapping[str, str],
) -> Packages | None:
    """What is installed; None where it is not the same each time, or kept elsewhere."""
    if not names or _NOT_KEPT.intersection(env) or not all(map(_is_constant, names)):
        return None
    of_pip = [f"{name}={value}" for name, value in sorted(env.items()) if name.startswith("PIP_")]
    return Packages(tuple(names), (image, version or "", *interpreter, *of_pip))


def install_lines(names: Sequence[str], *, kept: bool, of_pip: bool) -> list[str]:
    """Lines of a POSIX shell that let the packages be there.

    ``kept``: they may be there already, from an earlier run. ``of_pip``: so may pip's own cache.
    """
    listed = " ".join(map(shlex.quote, names))
    options = "" if of_pip else " --no-cache-dir"
    install = f"{_INTO_HOME} {_PYTHON} {_PIP}{options} -- {listed} || exit 1"
    lines = _KEPT.replace("@INSTALL@", install).strip().splitlines() if kept else [install]
    return [*lines, f'export PATH="$PATH:${{{_USER_BASE}:-$HOME/.local}}/bin"']


def _is_constant(name: str) -> bool:
    """Whether a requirement means the same whenever it is installed, but for newer versions: no
    file of the machine, and no state of a repository.
    """
    if "://" in name:
        return "file:" not in name and not any(kind in name for kind in _REPOSITORIES)
    return "/" not in name and not name.startswith(".") and not name.endswith(_ARCHIVES)
