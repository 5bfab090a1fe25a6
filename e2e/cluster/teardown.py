"""Leaves nothing of a cluster behind, in whatever state it was found.

Nothing here relies on a component to answer: after a crash, or a kill -9 of any of them, the same
steps find what is left. What was never there is passed over in silence.
"""

import shutil
from pathlib import Path

from e2e.cluster import cgroups, commands, network, processes
from e2e.cluster.components import NAMES
from e2e.cluster.console import say, step
from e2e.cluster.paths import RUN, Layout

# What components create outside their configured folders.
_DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
_CONTAINER_LOG_LINKS = Path("/var/log/containers")
_EMPTY_WHEN_OURS = (
    _DEVICE_PLUGINS,
    _DEVICE_PLUGINS.parent,
    _CONTAINER_LOG_LINKS,
    *map(Path, ("/run/containerd/s", "/run/containerd", "/var/lib/cni/results", "/var/lib/cni")),
)


def remove_cluster(layout: Layout) -> None:
    """Stop everything, undo every change to the machine, and delete the cluster's folders."""
    if not RUN.exists() and not layout.state.exists():
        return
    with step("components and containers stopped"):
        # The kubelet first, or it would start again what is stopped. None gets long: the data
        # is thrown away, so there is nothing to finish.
        processes.stop(layout, ["kubelet"], timeout=2)
        processes.stop(layout, [name for name in NAMES if name != "containerd"], timeout=1)
        cgroups.kill_all()
        _remove_shim_sockets(layout)
        processes.stop(layout, ["containerd"])
        processes.kill_marked()
    with step("mounts, network and control groups removed"):
        _unmount_all([RUN, layout.state])
        _clean_proxy_rules(layout)
        network.remove()
        cgroups.remove()
    with step("files removed"):
        _remove_strays(layout)
        shutil.rmtree(layout.state, ignore_errors=True)
        shutil.rmtree(RUN, ignore_errors=True)
    for left in (path for path in (layout.state, RUN) if path.exists()):
        say(f"could not remove all of {left}: remove it by hand")


def _clean_proxy_rules(layout: Layout) -> None:
    proxy = layout.components / "kube-proxy"
    if proxy.exists():
        commands.attempt([proxy, "--cleanup"])


def _unmount_all(folders: list[Path]) -> None:
    """Unmount what is mounted below the folders, the deepest and the latest first."""
    prefixes = tuple(f"{folder}/" for folder in folders)
    # A second round: a mount that hid another gives way to it.
    for _ in range(2):
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        points = [_unescape(line.split()[4]) for line in lines]
        for point in reversed([point for point in points if f"{point}/".startswith(prefixes)]):
            commands.attempt(["umount", "--lazy", point])


def _unescape(point: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, character)
    return point


def _remove_shim_sockets(layout: Layout) -> None:
    """A killed shim leaves its socket, in a folder that all containerds of a machine share."""
    tasks = layout.containerd_state / "io.containerd.runtime.v2.task"
    for task in (task for namespace in _inside(tasks) for task in _inside(namespace)):
        try:
            address = (task / "address").read_text()
        except OSError:  # it ends by itself meanwhile
            continue
        _unlink(Path(address.strip().removeprefix("unix://")))


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _remove_strays(layout: Layout) -> None:
    for link in _CONTAINER_LOG_LINKS.glob("*.log"):
        if link.is_symlink() and layout.pod_logs in link.readlink().parents:
            _unlink(link)
    for file in ("kubelet.sock", "kubelet_internal_checkpoint", "DEPRECATION"):
        # Another kubelet of this machine would have more than these in its folder.
        if not (_DEVICE_PLUGINS.parent / "config.yaml").exists():
            _unlink(_DEVICE_PLUGINS / file)
    for folder in _EMPTY_WHEN_OURS:
        try:
            folder.rmdir()
        except OSError:
            continue


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        return
