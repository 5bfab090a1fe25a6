"""The images that need no registry of images: from Debian's packages a shell, a pause, a Python
base, and one with the interpreters of other languages; from other registries one with toolchains.

Each is a docker-archive in the cache, under a hash of what it is made from.
"""

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from e2e.cluster import archive, commands, toolchains
from e2e.cluster.archive import ImageConfig
from e2e.cluster.console import long_step, step
from e2e.cluster.paths import Layout

BUSYBOX = "penstock.local/busybox:1"
PAUSE = "penstock.local/pause:1"
PYTHON_BASE = "penstock.local/python-base:bookworm"
PYTHON = "penstock.local/python:3"
LANGUAGES = "penstock.local/languages:1"
TOOLCHAINS = "penstock.local/toolchains:1"

_SUITE = "bookworm"
_PYTHON_PACKAGES = (
    *("python3", "python3-pip", "python3-venv"),
    *("git", "ca-certificates", "openssh-client"),
)
_SMALLER = 'rm -rf "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/usr/share/locale/*'
# As in the usual Python images: `python` exists, and pip may install into the system.
_PYTHON_TOUCHES = (
    'ln -s python3 "$1/usr/bin/python"',
    'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
    _SMALLER,
)
_LANGUAGE_PACKAGES = ("nodejs", "ruby", "perl", "php-cli", "lua5.4", "r-base-core")
# R brings what it takes to draw on a screen.
_LANGUAGE_TOUCHES = (_SMALLER, 'rm -rf "$1"/usr/share/R/doc "$1"/usr/share/fonts/*')
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BUSYBOX_PROGRAM = Path("/bin/busybox")
# A signal without a handler does not reach the first process of a container: hence the trap.
# `wait` also reaps the processes whose parents left them.
_PAUSE_SCRIPT = "trap 'exit 0' TERM INT; sleep inf & wait"
_ACCOUNTS = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUPS = b"root:x:0:\nnogroup:x:65534:\n"


def busybox(layout: Layout) -> Path:
    """A shell with the usual small programs; the same layer is the pods' pause image."""
    return _shell_image(layout, "busybox", BUSYBOX, ImageConfig(command=["/bin/sh"]))


def pause(layout: Layout) -> Path:
    config = ImageConfig(entrypoint=["/bin/sh", "-c", _PAUSE_SCRIPT])
    return _shell_image(layout, "pause", PAUSE, config)


def python(layout: Layout) -> Path:
    """Debian with Python, pip and git: the base of our image, and an image for Python tasks."""
    config = ImageConfig(command=["python3"], environment=[_PATH, "LANG=C.UTF-8"])
    tags = [PYTHON_BASE, PYTHON]
    return _debian_image(layout, "python", tags, _PYTHON_PACKAGES, _PYTHON_TOUCHES, config)


def languages(layout: Layout) -> Path:
    """Debian with the interpreters of several languages, for the tests of script tasks."""
    config = ImageConfig(command=["sh"], environment=[_PATH, "LANG=C.UTF-8"])
    return _debian_image(
        layout, "languages", [LANGUAGES], _LANGUAGE_PACKAGES, _LANGUAGE_TOUCHES, config
    )


def toolchain_image(layout: Layout) -> Path:
    """Go, Deno and Bun beside a shell, for the tests of script tasks."""
    config = ImageConfig(command=["/bin/sh"], environment=toolchains.ENVIRONMENT)

    def fill(layer: tarfile.TarFile, workspace: Path) -> None:
        fetched = workspace / "fetched"
        fetched.mkdir()
        toolchains.fetch(fetched)
        toolchains.fill(layer, fetched)

    return _shell_image(layout, "toolchains", TOOLCHAINS, config, toolchains.recipe(), fill)


def _debian_image(
    layout: Layout,
    name: str,
    tags: list[str],
    packages: tuple[str, ...],
    touches: tuple[str, ...],
    config: ImageConfig,
) -> Path:
    recipe = repr((_SUITE, packages, touches, archive.architecture()))
    target = _archive_path(layout, name, recipe.encode())
    if target.exists():
        return target
    with long_step(f"making {tags[0]}", "about a minute"), _workspace(target) as workspace:
        layer, finished = Path(workspace) / "layer.tar", Path(workspace) / "image.tar"
        commands.run(_mmdebstrap(layer, packages, touches), env={"TMPDIR": workspace})
        archive.write(layer, config, tags, finished)
        finished.replace(target)
    return target


def _shell_image(
    layout: Layout,
    name: str,
    tag: str,
    config: ImageConfig,
    recipe: str = "",
    fill: Callable[[tarfile.TarFile, Path], None] | None = None,
) -> Path:
    """Build an image with a shell and the further content that `recipe` names."""
    program = _BUSYBOX_PROGRAM.read_bytes()
    made_from = program + repr((config, _ACCOUNTS, _GROUPS)).encode() + recipe.encode()
    target = _archive_path(layout, name, made_from)
    if target.exists():
        return target
    with step(f"{tag} made"), _workspace(target) as workspace:
        layer, finished = Path(workspace) / "layer.tar", Path(workspace) / "image.tar"

        def fill_all(content: tarfile.TarFile) -> None:
            _add_shell(content, program)
            if fill is not None:
                fill(content, Path(workspace))

        archive.write_layer(layer, fill_all)
        archive.write(layer, config, [tag], finished)
        finished.replace(target)
    return target


def _add_shell(layer: tarfile.TarFile, program: bytes) -> None:
    for folder in ("bin", "etc", "root", "usr", "var"):
        archive.add_folder(layer, folder)
    for folder in ("tmp", "var/tmp"):
        archive.add_folder(layer, folder, mode=0o1777)
    for link, destination in (("sbin", "bin"), ("usr/bin", "../bin"), ("usr/sbin", "../bin")):
        archive.add_link(layer, link, destination)
    archive.add_file(layer, "etc/passwd", _ACCOUNTS)
    archive.add_file(layer, "etc/group", _GROUPS)
    archive.add_file(layer, "bin/busybox", program, mode=0o755)
    for applet in commands.run([_BUSYBOX_PROGRAM, "--list"]).split():
        if applet != "busybox":
            archive.add_link(layer, f"bin/{applet}", "busybox")


def _mmdebstrap(
    layer: Path, packages: tuple[str, ...], touches: tuple[str, ...]
) -> list[str | Path]:
    hooks = [f"--customize-hook={touch}" for touch in touches]
    return [
        *("mmdebstrap", "--quiet", "--variant=minbase"),
        f"--include={','.join(packages)}",
        *hooks,
        *(_SUITE, layer),
        *_debian_sources(),
    ]


def _debian_sources() -> list[str]:
    """The machine's own sources, when they are of the same suite: it may use a mirror."""
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    if sources.exists() and _SUITE in sources.read_text():
        return [str(sources)]
    return []


def _archive_path(layout: Layout, name: str, content: bytes) -> Path:
    folder = layout.cache / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.tar"


def _workspace(target: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder on the target's file system, so that moving the result there is atomic."""
    return tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{os.getpid()}-")
