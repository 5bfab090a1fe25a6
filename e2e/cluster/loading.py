"""Brings images into the cluster's containerd, once per content."""

import json
import tarfile
from pathlib import Path

from e2e.cluster import archive, commands, processes
from e2e.cluster.console import ClusterError, step
from e2e.cluster.paths import Layout


def load_image(layout: Layout, path: Path, name: str | None = None) -> None:
    """Import a docker-archive, under its own tags and also ``name``; skip what is there."""
    if processes.pid_of(layout, "containerd") is None:
        raise ClusterError(f"no cluster is up in {layout.state} to load {path} into: run `up`")
    image = _inspect(path)
    wanted = [*image.tags, name] if name and name not in image.tags else image.tags
    if not wanted:
        raise ClusterError(f"{path} has no tag: give one, as in `load {path} example.test/app:1`")
    loaded = _read_record(layout)
    if all(loaded.get(tag) == image.digest for tag in wanted):
        return
    with step(f"{' and '.join(wanted)} loaded"):
        present = [tag for tag, digest in loaded.items() if digest == image.digest]
        source = present[0] if present else _import(layout, path, image, wanted)
        for tag in wanted:
            if tag != source:
                _ctr(layout, "images", "tag", "--force", source, tag)
    for tag in wanted:
        loaded[tag] = image.digest
    layout.loaded_images.write_text(json.dumps(loaded, indent=2, sort_keys=True) + "\n")


def explain_external(path: Path) -> str:
    """Why an image cannot be loaded into a cluster that somebody else made."""
    return (
        f"KUBECONFIG names a cluster that this program did not make, so it cannot load {path} "
        "there: push the image to a registry that the cluster's nodes can pull from, or import it "
        "on each node (`ctr -n k8s.io images import`). For a kind cluster set "
        "PENSTOCK_CLUSTER=kind."
    )


def _inspect(path: Path) -> archive.ArchivedImage:
    try:
        return archive.inspect(path)
    except (OSError, tarfile.TarError, KeyError, IndexError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise ClusterError(
            f"{path} is not a docker-archive ({reason}): make one with `docker save`, "
            "`buildah push … docker-archive:…` or `build-image`"
        ) from error


def _import(layout: Layout, path: Path, image: archive.ArchivedImage, wanted: list[str]) -> str:
    """Import the archive; return a name that it has in containerd now."""
    if image.tags:
        _ctr(layout, "images", "import", str(path))
        return image.tags[0]
    _ctr(layout, "images", "import", "--index-name", wanted[0], str(path))
    return wanted[0]


def _ctr(layout: Layout, *arguments: str) -> None:
    commands.run(
        ["ctr", "--address", layout.containerd_socket, "--namespace", "k8s.io", *arguments],
        hint="Is the cluster up? `python3 -m e2e.cluster status` tells.",
    )


def _read_record(layout: Layout) -> dict[str, str]:
    try:
        record: dict[str, str] = json.loads(layout.loaded_images.read_text())
    except (OSError, ValueError):
        return {}
    return record
