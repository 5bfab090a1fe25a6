"""Builds this repository's Dockerfile with buildah, on the base image made here.

Only what the Dockerfile copies is given to buildah, from a folder of its own: so exactly what the
image can hold decides the key of the cached archive, and nothing else of the repository does.
"""

import configparser
import hashlib
import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

from e2e.cluster import archive, commands, images
from e2e.cluster.console import ClusterError, long_step
from e2e.cluster.paths import Layout

DEFAULT_TAG = "penstock.local/penstock:dev"

_AUTHORITIES = Path("/etc/ssl/certs")
_BUNDLE = _AUTHORITIES / "ca-certificates.crt"
_NEVER_COPIED = shutil.ignore_patterns(
    *("__pycache__", "*.pyc", ".git", ".venv", "node_modules", "build"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
)
# What of the machine's pip settings says where packages come from; the rest is the image's.
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "timeout", "default-timeout")
_KEPT_ARCHIVES = 3


def build_repository(layout: Layout, tag: str) -> Path:
    """The docker-archive of this repository's image."""
    return build(layout, layout.repository, layout.repository / "Dockerfile", tag)


def build(layout: Layout, context: Path, dockerfile: Path, tag: str) -> Path:
    """The docker-archive of the image, built unless the cache has it for the same content."""
    if not dockerfile.is_file():
        raise ClusterError(f"{dockerfile} does not exist: there is nothing to build")
    base = images.python(layout)
    workspaces = layout.cache / "images"
    with tempfile.TemporaryDirectory(dir=workspaces, prefix=f".{os.getpid()}-") as workspace:
        staged = Path(workspace) / "context"
        _stage(context, dockerfile, staged)
        target = workspaces / f"application-{_key(staged, base, tag)}.tar"
        if target.exists():
            os.utime(target)
            return target
        with long_step(f"building {tag}", "about a minute"):
            _import_base(layout, base)
            _build(layout, staged, tag, Path(workspace))
            finished = Path(workspace) / "image.tar"
            _buildah(layout, "push", tag, f"docker-archive:{finished}:{tag}")
            finished.replace(target)
    _forget_old_archives(workspaces)
    return target


def _stage(context: Path, dockerfile: Path, staged: Path) -> None:
    """Copy the Dockerfile and what it copies into a folder of their own."""
    staged.mkdir()
    text = dockerfile.read_text()
    (staged / "Dockerfile").write_text(text)
    if (context / ".dockerignore").exists():
        shutil.copy2(context / ".dockerignore", staged)
    for source in _copied_sources(text):
        matches = _matches(context, source)
        if not matches:
            raise ClusterError(f"{dockerfile} copies {source}, which is not in {context}")
        for match in matches:
            origin, target = context / match, staged / match
            target.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                shutil.copytree(origin, target, ignore=_NEVER_COPIED, dirs_exist_ok=True)
            else:
                shutil.copy2(origin, target)


def _matches(context: Path, source: str) -> list[Path]:
    """The paths that match a source of COPY, which may be a pattern; relative to the context."""
    if source in (".", "./"):
        return [path.relative_to(context) for path in context.iterdir()]
    return [path.relative_to(context) for path in context.glob(source.rstrip("/"))]


def _copied_sources(dockerfile: str) -> list[str]:
    """The paths that COPY and ADD take from the context, those of other stages left out."""
    sources: list[str] = []
    joined = re.sub(r"\\\n", " ", dockerfile)
    for line in joined.splitlines():
        found = re.match(r"\s*(?:COPY|ADD)\s+(.*)", line, re.IGNORECASE)
        if found is None or "--from=" in found[1]:
            continue
        words = re.findall(r'[^\s\[\]",]+', found[1])
        paths = [word for word in words if not word.startswith("--")]
        sources += [path.lstrip("/") or "." for path in paths[:-1] if "://" not in path]
    return sources


def _key(staged: Path, base: Path, tag: str) -> str:
    digest = hashlib.sha256(f"{base.name}\0{tag}".encode())
    for path in sorted(staged.rglob("*")):
        name = str(path.relative_to(staged))
        mode = path.lstat().st_mode
        digest.update(f"\0{name}\0{mode}\0".encode())
        if path.is_symlink():
            digest.update(str(path.readlink()).encode())
        elif path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _import_base(layout: Layout, base: Path) -> None:
    printed = _buildah(layout, "images", "--no-trunc", "--format", "{{.ID}}")
    if archive.inspect(base).digest not in printed:
        _buildah(layout, "pull", f"docker-archive:{base}")


def _build(layout: Layout, staged: Path, tag: str, workspace: Path) -> None:
    # A mounted file rather than --env, which would leave the settings (and any password in an
    # index's address) in the image.
    pip_configuration = workspace / "pip.conf"
    pip_configuration.write_text(_pip_configuration())
    _buildah(
        layout,
        *("build", "--layers", "--isolation", "chroot", "--network", "host", "--pull-never"),
        *("--build-arg", f"BASE_IMAGE={images.PYTHON_BASE}"),
        *("--volume", f"{_AUTHORITIES}:{_AUTHORITIES}:ro"),
        *("--volume", f"{pip_configuration}:/etc/pip.conf:ro"),
        *("--tag", tag, "--file", str(staged / "Dockerfile"), str(staged)),
    )


def _pip_configuration() -> str:
    """The settings that pip has on this machine, from its files and from the environment."""
    merged = {"cert": str(_BUNDLE)}
    files = configparser.RawConfigParser()
    named = os.environ.get("PIP_CONFIG_FILE")
    home = Path.home()
    candidates = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    files.read([*candidates, Path(named)] if named else candidates)
    for section in ("global", "install"):
        if files.has_section(section):
            merged.update({k: v for k, v in files.items(section) if k in _PIP_SETTINGS})
    for setting in _PIP_SETTINGS:
        value = os.environ.get(f"PIP_{setting.upper().replace('-', '_')}")
        if value:
            merged[setting] = value
    lines = [f"{name} = {value.replace(chr(10), ' ')}" for name, value in merged.items()]
    return "\n".join(["[global]", *lines, ""])


def _buildah(layout: Layout, *arguments: str) -> str:
    driver = _storage_driver(layout.cache)
    storage = layout.cache / f"buildah-{driver}"
    return commands.run(
        [
            *("buildah", "--storage-driver", driver),
            *("--root", str(storage / "root"), "--runroot", str(storage / "run")),
            *arguments,
        ],
        env={"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": driver},
    )


@cache
def _storage_driver(folder: Path) -> str:
    """Overlay where the file system allows it; else vfs, which copies each layer entirely."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".probe-") as probe:
        lower, upper, work, merged = (Path(probe) / name for name in ("l", "u", "w", "m"))
        for path in (lower, upper, work, merged):
            path.mkdir()
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        mounted = commands.attempt(["mount", "-t", "overlay", "-o", options, "overlay", merged])
        if mounted is None:
            return "vfs"
        commands.attempt(["umount", merged])
        return "overlay"


def _forget_old_archives(folder: Path) -> None:
    """Delete old archives, since each change of the source makes one; those that were last used
    stay."""
    archives = sorted(folder.glob("application-*.tar"), key=lambda path: path.stat().st_mtime)
    for path in archives[:-_KEPT_ARCHIVES]:
        path.unlink(missing_ok=True)
