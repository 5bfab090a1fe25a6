"""Installs programs of Node.js from the npm registry, once per content of their lock file."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from e2e.cluster import commands
from e2e.cluster.console import ClusterError, step
from e2e.cluster.paths import Layout

_MANIFESTS = ("package.json", "package-lock.json")


def azurite(layout: Layout) -> tuple[Path, Path]:
    """Node.js, and the script of the Azure Blob server of the end-to-end tests."""
    node = commands.find_program("node")
    if node is None:
        raise ClusterError("there is no `node`: install Node.js 20 or newer, with npm")
    folder = _installed(layout, layout.repository / "e2e" / "cluster" / "azurite")
    return Path(node), folder / "node_modules/azurite/dist/src/blob/main.js"


def _installed(layout: Layout, module: Path) -> Path:
    target = layout.cache / "programs" / _key(module)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        step(f"{module.name} installed"),
        tempfile.TemporaryDirectory(dir=target.parent) as folder,
    ):
        unfinished = Path(folder) / module.name
        unfinished.mkdir()
        for name in _MANIFESTS:
            shutil.copy(module / name, unfinished)
        commands.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=unfinished,
            env={"npm_config_loglevel": "error"},
            hint="If it cannot fetch packages, check `npm config get registry` and the network.",
        )
        try:
            unfinished.rename(target)
        except OSError:  # somebody else was faster
            if not target.exists():
                raise
    return target


def _key(module: Path) -> str:
    digest = hashlib.sha256(os.uname().machine.encode())
    for name in _MANIFESTS:
        digest.update((module / name).read_bytes())
    return digest.hexdigest()[:16]
