"""The commands: up, down, kubeconfig, load, image, build-image and status.

Each acts on one of three kinds of cluster: the one that this package makes (the default), one
that KUBECONFIG names and somebody else made, or one of kind, when PENSTOCK_CLUSTER=kind.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import application, bringup, images, kind, loading, locks, packages
from e2e.cluster.components import API_SERVER
from e2e.cluster.console import ClusterError, say
from e2e.cluster.paths import LOCK, Layout, discover

_IMAGES = {
    "busybox": images.busybox,
    "languages": images.languages,
    "pause": images.pause,
    "python": images.python,
    "toolchains": images.toolchain_image,
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; its answer is on stdout, its progress and its errors on stderr."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(discover(), options)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; `down` removes what was begun", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m e2e.cluster", description="A real Kubernetes on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    up = commands.add_parser("up", help="bring the cluster up; quick when it is up")
    up.add_argument("--image", metavar="TAG", help="also build our image, beside what is slow")
    up.set_defaults(run=_up)
    down = commands.add_parser("down", help="remove the cluster; the cache stays")
    down.set_defaults(run=_down)
    kubeconfig = commands.add_parser("kubeconfig", help="print the administrator's kubeconfig")
    kubeconfig.set_defaults(run=_kubeconfig)
    load = commands.add_parser("load", help="load a docker-archive into the cluster")
    load.add_argument("archive", type=Path)
    load.add_argument("name", nargs="?", help="a further name for the image")
    load.set_defaults(run=_load)
    image = commands.add_parser("image", help="print the archive of a ready-made image")
    image.add_argument("image", choices=sorted(_IMAGES))
    image.set_defaults(run=_image)
    build = commands.add_parser("build-image", help="build our image; print its archive")
    build.add_argument("--tag", default=application.DEFAULT_TAG)
    build.add_argument("--file", type=Path, help="another Dockerfile than the repository's")
    build.add_argument("--context", type=Path, help="another context than the repository")
    build.add_argument("--load", action="store_true", help="also load it into the cluster")
    build.set_defaults(run=_build_image)
    status = commands.add_parser("status", help="print what runs; fails unless all is healthy")
    status.set_defaults(run=_status)
    return parser


def _up(layout: Layout, options: argparse.Namespace) -> int:
    if kind.is_wanted():
        kind.bring_up(layout)
    elif external := _external_kubeconfig(layout):
        say(f"using the cluster that KUBECONFIG names: {external}; nothing to build")
    else:
        with _lock():
            bringup.bring_up(layout, options.image)
    return 0


def _down(layout: Layout, _: argparse.Namespace) -> int:
    if kind.is_wanted():
        kind.remove(layout)
        return 0
    with _lock():
        bringup.take_down(layout)
    say("down: nothing is left but the cache")
    return 0


def _kubeconfig(layout: Layout, _: argparse.Namespace) -> int:
    path = _external_kubeconfig(layout) or layout.kubeconfig
    if not path.exists():
        raise ClusterError(f"no cluster is up ({path} does not exist): run `up` first")
    print(path)
    return 0


def _load(layout: Layout, options: argparse.Namespace) -> int:
    _load_archive(layout, options.archive, options.name)
    return 0


def _image(layout: Layout, options: argparse.Namespace) -> int:
    with _lock():
        packages.ensure_installed()
        print(_IMAGES[options.image](layout))
    return 0


def _build_image(layout: Layout, options: argparse.Namespace) -> int:
    with _lock():
        packages.ensure_installed()
        context: Path = options.context or layout.repository
        dockerfile: Path = options.file or context / "Dockerfile"
        archive = application.build(layout, context, dockerfile, options.tag)
    if options.load:
        _load_archive(layout, archive, None)
    print(archive)
    return 0


def _status(layout: Layout, _: argparse.Namespace) -> int:
    if external := _external_kubeconfig(layout):
        print(f"the cluster that KUBECONFIG names: {external}")
        return 0
    for name, pid in bringup.status(layout).items():
        print(f"{name:<24} {f'running, pid {pid}' if pid else 'not running'}")
    healthy = bringup.is_healthy(layout)
    print(f"{'cluster':<24} {f'healthy at {API_SERVER}' if healthy else 'not healthy'}")
    return 0 if healthy else 1


def _load_archive(layout: Layout, archive: Path, name: str | None) -> None:
    if kind.is_wanted():
        kind.load_image(archive)
    elif _external_kubeconfig(layout):
        raise ClusterError(loading.explain_external(archive))
    else:
        with _lock():
            loading.load_image(layout, archive, name)


def _external_kubeconfig(layout: Layout) -> Path | None:
    """The kubeconfig of a cluster that is not ours, when KUBECONFIG names one."""
    value = os.environ.get("KUBECONFIG")
    if not value or Path(value).resolve() == layout.kubeconfig:
        return None
    if not any(Path(part).exists() for part in value.split(os.pathsep) if part):
        raise ClusterError(
            f"KUBECONFIG names {value}, which does not exist: unset it for a cluster of this "
            "machine, or name the kubeconfig of a cluster that runs"
        )
    return Path(value)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError(
            "a Kubernetes node needs root (namespaces, mounts, packet rules): run this as root, "
            "or name an existing cluster by KUBECONFIG"
        )


@contextmanager
def _lock() -> Iterator[None]:
    """One command at a time: two would start the same components, or build the same image."""
    _require_root()
    with locks.held(LOCK, "another command on this machine's cluster to end"):
        yield
