"""Container images as docker-archives, written and read without a container engine.

One layer, a configuration and a manifest are all that containerd imports; where no registry is
within reach, this is how an image comes to be.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ImageConfig:
    """The command and the environment of an image's containers, unless the pod says otherwise."""

    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    environment: list[str] = field(default_factory=list)


def architecture() -> str:
    """The architecture of this machine, in the words of the image specification."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def write(layer: Path, config: ImageConfig, tags: list[str], target: Path) -> None:
    """Write the archive of an image whose only layer is the given tar."""
    with layer.open("rb") as content:
        layer_digest = hashlib.file_digest(content, "sha256").hexdigest()
    described = _describe(config, layer_digest)
    config_name = f"{hashlib.sha256(described).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": tags, "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as archive:
        archive.add(layer, arcname="layer.tar", filter=_anonymous)
        _add_bytes(archive, config_name, described)
        _add_bytes(archive, _MANIFEST, json.dumps(manifest).encode())


def write_layer(target: Path, fill: Callable[[tarfile.TarFile], None]) -> None:
    """Write a layer; equal content gives an equal file, and so an equal image."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as layer:
        fill(layer)


def add_folder(layer: tarfile.TarFile, name: str, mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    layer.addfile(entry)


def add_link(layer: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
    layer.addfile(entry)


def add_file(layer: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    _add_bytes(layer, name, content, mode)


@dataclass(frozen=True)
class ArchivedImage:
    """The identity of an archived image, which is the digest of its configuration, and its tags."""

    digest: str
    tags: list[str]


def inspect(archive: Path) -> ArchivedImage:
    """Read the identity and the tags of the first image of an archive."""
    with tarfile.open(archive) as content:
        manifest = content.extractfile(_MANIFEST)
        if manifest is None:
            raise tarfile.ReadError(f"{_MANIFEST} is not a file")
        image = json.load(manifest)[0]
    digest = Path(image["Config"]).name.removesuffix(".json")
    return ArchivedImage(digest=digest, tags=list(image.get("RepoTags") or []))


def _describe(config: ImageConfig, layer_digest: str) -> bytes:
    description = {
        "architecture": architecture(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Entrypoint": config.entrypoint or None,
            "Cmd": config.command or None,
            "Env": config.environment,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "penstock e2e/cluster"}],
    }
    return json.dumps(description, sort_keys=True).encode()


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
